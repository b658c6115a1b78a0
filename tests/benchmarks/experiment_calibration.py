"""Whether the statistics of experiments hold what they promise, on the simulator: A/A tests, peeking, planted
lifts, power.

Full size is that of the project's note: 2,000 A/A tests, 1,000 peeked-at ones, 1,000 simulated sites.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from figure import Figure
from scipy.stats import norm

from ml.experiments.analysis import analyse
from ml.experiments.definition import DecisionRule, Experiment
from ml.experiments.design import plan
from ml.experiments.estimates import Estimate, estimate, variance_explained
from ml.experiments.exposures import Units
from ml.experiments.hashing import uniform_many
from ml.experiments.history import baseline, replay
from ml.experiments.loading import load_experiments, metric_library
from ml.experiments.metrics import MEASURES
from ml.experiments.moments import accumulate
from ml.experiments.outcomes import NUMERATOR, unit_values
from ml.experiments.planted import write_planted_experiments
from ml.experiments.quantiles import quantile_estimate
from ml.experiments.readings import single_look_reading
from ml.experiments.trajectory import planned_looks, trace
from ml.settings.experiments import ExperimentSettings
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.site import Site

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((ROOT / "settings.yaml").read_text())
START = dt.date(2026, 3, 2)
ALPHA = 0.05
KINDS = {
    "proportion": "recommendation_clickers",
    "mean": "clicks_per_user",
    "revenue": "revenue_per_user",
    "ratio": "engaged_seconds_per_session",
    "funnel": "view_to_cart",
    "retention": "retention_next_week",
    "quantile": "median_engaged_seconds",
}
_COUNTED = {
    "page_view": "page_views", "impression": "impressions", "click": "clicks", "add_to_cart": "add_to_carts",
    "checkout": "checkouts", "purchase": "purchases", "signup": "signups", "subscribe": "subscribes",
    "like": "likes",
    "bookmark": "likes", "share": "likes", "comment": "likes", "follow": "likes", "dislike": "dislikes",
    "not_interested": "dislikes", "search": "searches", "form_start": "form_starts", "form_submit": "form_submits",
    "video_play": "video_plays",
}  # fmt: skip
_COLUMNS = ("event_id", "event_type", "occurred_at", "user_id", "anonymous_id", "value", "recommendation_id",
            "session_id", "experiment_id", "variant")  # fmt: skip


def measure(size: float) -> Iterator[Figure]:
    """Yield the calibration figures; `size` scales the numbers of runs."""
    history = unit_days(simulate(users=12_000, days=56, seed=1))
    yield from false_positives(history, max(round(2000 * size), 20))
    yield from peeking(history, max(round(1000 * size), 20))
    yield from design_power(history, max(round(2000 * size), 20))
    yield from planted_lifts(max(round(1000 * size), 4))


def false_positives(history: pa.Table, runs: int) -> Iterator[Figure]:
    """A/A tests of every kind of metric: units are split anew by the assignment's hash with another salt."""
    metrics = {kind: metric_library()[name] for kind, name in KINDS.items()}
    units, days, as_of = _replayed(history, metrics.values())
    measured = {kind: unit_values(metric, days, units, as_of) for kind, metric in metrics.items()}
    hits = dict.fromkeys([*KINDS, *(f"{kind}, CUPED" for kind in KINDS if kind != "quantile")], 0)
    narrowing, predicted = [], []
    for run in range(runs):
        arm = (uniform_many(units.ids, f"variant:aa-{run}") >= 0.5).astype(np.int64)
        for kind, values in measured.items():
            if kind == "quantile":
                numbers, matured = values.columns[NUMERATOR], values.matured
                quantile = metrics[kind].quantile
                found = quantile_estimate(numbers[matured & (arm == 0)], numbers[matured & (arm == 1)], quantile)
                hits[kind] += _significant(found)
                continue
            moments = accumulate(values.columns, np.where(values.matured, arm, -1), (2, 1, 1))
            plain, adjusted = estimate(moments, 1, cuped=False), estimate(moments, 1)
            hits[kind] += _significant(plain)
            hits[f"{kind}, CUPED"] += _significant(adjusted)
            if kind == "mean":
                narrowing.append(adjusted.standard_error / plain.standard_error)
                predicted.append(np.sqrt(1 - variance_explained(moments, 1)))
    for kind, count in hits.items():
        yield Figure(f"aa_false_positives[{kind}]", 100 * count / runs, "% at 5 %", rows=runs)
    yield Figure(
        "cuped_width", float(np.mean(narrowing)), "of the plain width", "sqrt(1 - rho²)",
        float(np.mean(predicted)),
        float(np.mean(narrowing) / np.mean(predicted)), runs,
    )  # fmt: skip


def peeking(history: pa.Table, runs: int) -> Iterator[Figure]:
    """A/A tests looked at on each of 30 days: how many are ever called different."""
    metric = metric_library()["clicks_per_user"]
    units, days, as_of = _replayed(history, [metric])
    values = unit_values(metric, days, units, as_of)
    first = units.exposed_at.min()
    cohort = ((units.exposed_at - first) // 86_400_000_000).astype(np.int64)
    kept = values.matured & (cohort < 30)
    rule = DecisionRule(planned_units=int(kept.sum()), inference="group_sequential", looks=5)
    settings = ExperimentSettings.model_validate(SETTINGS["experiments"])
    ever = {"single look": 0, "always valid": 0, "group sequential": 0}
    for run in range(runs):
        arm = (uniform_many(units.ids, f"variant:peek-{run}") >= 0.5).astype(np.int64)
        moments = accumulate(values.columns, np.where(kept, arm * 30 + cohort, -1), (2, 1, 30))
        points = trace(moments, 1, rule, ALPHA, minimum_stratum_units=50, burn_in_units=settings.burn_in_units)
        ever["single look"] += any(point.single_look.p_value < ALPHA for point in points)
        ever["always valid"] += any(
            point.always_valid.absolute.low > 0 or point.always_valid.absolute.high < 0 for point in points
        )
        ever["group sequential"] += any(look.crossed for look in planned_looks(points, rule, ALPHA, complete=True))
    for name, count in ever.items():
        yield Figure(f"peeking_false_positives[{name}]", 100 * count / runs, "% over 30 daily looks", rows=runs)


def design_power(history: pa.Table, runs: int) -> Iterator[Figure]:
    """Plans from the history, then experiments of the planned size on units drawn from it, with the lift
    planted.
    """
    rng = np.random.default_rng(5)
    for kind, lift in (("proportion", 0.1), ("mean", 0.06), ("ratio", 0.04)):
        metric = metric_library()[KINDS[kind]]
        experiment = _experiment(KINDS[kind], lift)
        past = baseline(metric, history, 42)
        planned = plan(experiment, past, power=0.8, maximum_days=90)
        units, days, as_of = _replayed(history, [metric])
        values = unit_values(metric, days, units, as_of)
        pool = np.flatnonzero(values.matured)
        hits = 0
        for _ in range(runs):
            drawn = rng.choice(pool, planned.units)
            arm = rng.integers(0, 2, planned.units)
            columns = {name: column[drawn] for name, column in values.columns.items()}
            columns[NUMERATOR] = _lifted(kind, columns[NUMERATOR], arm == 1, lift, past.mean, rng)
            found = estimate(accumulate(columns, arm, (2, 1, 1)), 1)
            hits += single_look_reading(found, ALPHA).absolute.low > 0
        yield Figure(
            f"design_power[{kind}]", 100 * hits / runs, "% of experiments", "promised", 80.0, rows=planned.units
        )


def planted_lifts(runs: int) -> Iterator[Figure]:
    """Simulated sites, each with its own users and assignment: how often the interval holds the planted lift."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(planted_intervals, range(1000, 1000 + runs), chunksize=max(runs // 20, 1))
    for name in found[0]:
        covered = np.mean([low <= truth <= high for result in found for low, high, truth in [result[name]]])
        yield Figure(f"planted_lift_covered[{name}]", 100 * float(covered), "% of 95 % intervals", rows=runs)


def planted_intervals(seed: int) -> dict[str, tuple[float, float, float]]:
    """Intervals of the relative effect, and the true lift, of each planted experiment's primary metric."""
    events = simulate(users=1500, days=28, seed=seed)
    site = _site(1500, 28, seed)
    with TemporaryDirectory() as folder:
        write_planted_experiments(site, Path(folder) / "experiments.yaml")
        experiments = load_experiments(Path(folder) / "experiments.yaml")
    settings = ExperimentSettings.model_validate(SETTINGS["experiments"])
    truths = {
        "new_checkout": ("purchases_per_user", "purchases_until_the_end"),
        "newsletter_prompt": ("subscription_rate", "subscribed"),
        "new_font": ("page_views_per_user", "page_views_until_the_end"),
    }
    found = {}
    for planted in site.planted:
        truth, metric = truths[planted.experiment_id]
        experiment = experiments.get(planted.experiment_id)
        exposures, outcomes = experiment_tables(events, planted.experiment_id)
        analysis = analyse(experiments, experiment.id, exposures, outcomes, experiment.ends_at, settings)
        interval = analysis.result(metric, "treatment").single_look.relative
        found[f"{planted.experiment_id}: {truth}"] = (interval.low, interval.high, planted.lifts[truth])
    return found


def simulate(users: int, days: int, seed: int) -> pa.Table:
    """Events of a simulated site: the columns that outcomes are made of, as plain strings, without repeats."""
    site = _site(users, days, seed)
    parts = []
    for table in site.events(0, days):
        columns = {name: table[name] for name in _COLUMNS}
        parts.append(
            pa.table({n: c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for n, c in columns.items()})
        )
    events = pa.concat_tables(parts)
    person = pc.coalesce(events["user_id"], events["anonymous_id"])
    events = events.append_column("person", person)
    for name in ("event_id", "event_type", "occurred_at", "person"):
        events = events.filter(pc.is_valid(events[name]))
    # The planted malformed rows would not pass the collector; here only impossible values and times matter.
    events = events.filter(pc.less(pc.abs(pc.fill_null(events["value"], 0.0)), 1e6))
    opened = dt.datetime.combine(START, dt.time(), dt.UTC)
    events = events.filter(pc.less(events["occurred_at"], pa.scalar(opened + dt.timedelta(days=days))))
    events = events.filter(pc.greater_equal(events["occurred_at"], pa.scalar(opened)))
    first = np.unique(
        events["event_id"].combine_chunks().dictionary_encode().indices.to_numpy(), return_index=True
    )[1]
    return events.take(pa.array(np.sort(first)))


def unit_days(events: pa.Table) -> pa.Table:
    """The mart `user_days` of simulated events, with numpy instead of dbt."""
    dates = pc.cast(pc.floor_temporal(events["occurred_at"], unit="day"), pa.date32())
    day = pc.cast(dates, pa.int32()).to_numpy().astype(np.int64)
    return _pivot(events, day, "date", pa.date32())


def experiment_tables(events: pa.Table, experiment_id: str) -> tuple[pa.Table, pa.Table]:
    """The marts `exposures` and `experiment_outcomes` of one experiment."""
    own = events.filter(pc.equal(events["experiment_id"], experiment_id))
    first = own.group_by(["person", "variant"]).aggregate([("occurred_at", "min")])
    exposures = pa.table(
        {
            "unit_id": first["person"],
            "user_id": first["person"],
            "variant": first["variant"],
            "first_exposed_at": first["occurred_at_min"],
        }
    )
    at = pc.index_in(events["person"], value_set=exposures["user_id"].combine_chunks())
    known = pc.is_valid(at)
    events, at = events.filter(known), at.filter(known).to_numpy()
    exposed = pc.cast(exposures["first_exposed_at"], pa.int64()).to_numpy()[at]
    moment = pc.cast(events["occurred_at"], pa.int64()).to_numpy()
    return exposures, _pivot(events, (moment - exposed) // 86_400_000_000, "day", pa.int32())


def _pivot(events: pa.Table, day: np.ndarray, name: str, type_: pa.DataType) -> pa.Table:
    person = events["person"].combine_chunks().dictionary_encode()
    low = int(day.min())
    width = int(day.max()) - low + 1
    keys, cell = np.unique(person.indices.to_numpy().astype(np.int64) * width + (day - low), return_inverse=True)
    kind = events["event_type"].to_pylist()
    value = np.nan_to_num(events["value"].to_numpy())
    names = np.array([_COUNTED.get(k, "") for k in kind])
    raw = np.array(kind)
    out = {measure: np.zeros(len(keys)) for measure in MEASURES}
    for measure in set(_COUNTED.values()):
        rows = names == measure
        if measure == "purchases":
            rows &= value > 0
        out[measure] = np.bincount(cell[rows], minlength=len(keys)).astype(float)
    recommended = (raw == "click") & np.asarray(pc.is_valid(events["recommendation_id"]))
    out["recommendation_clicks"] = np.bincount(cell[recommended], minlength=len(keys)).astype(float)
    out["engaged_seconds"] = np.bincount(cell, weights=value * (raw == "page_ping"), minlength=len(keys))
    out["revenue"] = np.bincount(cell, weights=value * (raw == "purchase"), minlength=len(keys))
    out["sessions"] = np.ones(len(keys))
    days = pa.array((keys % width + low).astype(np.int32)).cast(type_)
    return pa.table({"user_id": person.dictionary.take(pa.array(keys // width)), name: days, **out})


def _site(users: int, days: int, seed: int) -> Site:
    changes = {"users": users, "days": days, "items": 200, "new_items_per_day": 2, "passers_by": 0.0}
    return Site(SimulatorSettings.model_validate({**SETTINGS["simulator"], **changes}), seed, START)


def _replayed(history: pa.Table, metrics: object) -> tuple[Units, object, dt.datetime]:
    dates = pc.cast(history["date"], pa.int32()).to_numpy()
    measures = list(dict.fromkeys(measure for metric in metrics for measure in metric.measures))
    units, days = replay(history, int(dates.min()) + 14, measures)
    end = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=int(dates.max()) + 1)
    return units, days, end


def _experiment(metric: str, lift: float) -> Experiment:
    start = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    return Experiment(
        id="planned",
        hypothesis="A plan to be tried out",
        unit="user",
        variants={"control": {"share": 0.5}, "treatment": {"share": 0.5}},
        primary_metric=metric,
        minimum_detectable_effect=lift,
        starts_at=start,
        ends_at=start + dt.timedelta(days=28),
        decision=DecisionRule(inference="fixed"),
    )


def _lifted(
    kind: str, values: np.ndarray, treated: np.ndarray, lift: float, mean: float, rng: np.random.Generator
):
    if kind != "proportion":
        return values * np.where(treated, 1 + lift, 1.0)
    converts = rng.random(len(values)) < mean * lift / (1 - mean)
    return np.where(treated & converts, 1.0, values)


def _significant(found: Estimate) -> bool:
    return 2 * norm.sf(abs(found.absolute) / found.standard_error) < ALPHA
