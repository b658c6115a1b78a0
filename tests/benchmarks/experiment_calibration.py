"""Whether the statistics of experiments hold what they promise, on the simulator.

A/A tests, peeking, power and sample ratios are measured. Planted lifts have a benchmark of their own.

Full size is that of the project's note: 2,000 A/A tests, 1,000 peeked-at ones, 2,000 of the planned size.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from figure import Figure
from scipy.stats import norm
from simulated_marts import simulate, unit_days

from ml.arrays.hashing import bucket_units
from ml.experiments.analysis.baseline import measure_baseline, replay_history
from ml.experiments.analysis.estimates import EffectEstimate, estimate_effect, variance_explained
from ml.experiments.analysis.exposures import Units
from ml.experiments.analysis.health import check_sample_ratio
from ml.experiments.analysis.inference import infer_always_valid, infer_single_look
from ml.experiments.analysis.moments import accumulate_moments
from ml.experiments.analysis.outcomes import NUMERATOR, compute_unit_values
from ml.experiments.analysis.quantiles import estimate_quantile_effect
from ml.experiments.analysis.trajectory import evaluate_looks, trace_cohorts
from ml.experiments.definition.assignment import assign_units
from ml.experiments.definition.definition import DecisionRule, Experiment, ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_metric_library
from ml.experiments.design.design import design_experiment
from ml.settings.experiments import ExperimentSettings

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


def measure(size: float) -> Iterator[Figure]:
    """Yield the calibration figures; `size` scales the numbers of runs."""
    history = unit_days(simulate(users=12_000, days=56, seed=1))
    yield from false_positives(history, max(round(2000 * size), 20))
    yield from peeking(history, max(round(1000 * size), 20))
    yield from design_power(history, max(round(2000 * size), 20))
    yield from sample_ratios(max(round(1000 * size), 20))


def false_positives(history: pa.Table, runs: int) -> Iterator[Figure]:
    """A/A tests of every kind of metric: units are split anew by the assignment's hash with another salt."""
    metrics = {kind: load_metric_library()[name] for kind, name in KINDS.items()}
    units, days, as_of = _replayed(history, metrics.values())
    measured = {kind: compute_unit_values(metric, days, units, as_of) for kind, metric in metrics.items()}
    hits = dict.fromkeys([*KINDS, *(f"{kind}, CUPED" for kind in KINDS if kind != "quantile")], 0)
    narrowing, predicted = [], []
    for run in range(runs):
        arm = (bucket_units(units.ids, f"variant:aa-{run}") >= 0.5).astype(np.int64)
        for kind, values in measured.items():
            if kind == "quantile":
                numbers, matured = values.columns[NUMERATOR], values.matured
                quantile = metrics[kind].quantile
                found = estimate_quantile_effect(
                    numbers[matured & (arm == 0)], numbers[matured & (arm == 1)], quantile
                )
                hits[kind] += _significant(found)
                continue
            moments = accumulate_moments(values.columns, np.where(values.matured, arm, -1), (2, 1, 1))
            plain, adjusted = estimate_effect(moments, 1, cuped=False), estimate_effect(moments, 1)
            hits[kind] += _significant(plain)
            hits[f"{kind}, CUPED"] += _significant(adjusted)
            if kind == "mean":
                narrowing.append(adjusted.standard_error / plain.standard_error)
                predicted.append(np.sqrt(1 - variance_explained(moments, 1)))
    for kind, count in hits.items():
        yield Figure(f"aa_false_positives[{kind}]", 100 * count / runs, "% at 5%", rows=runs)
    yield Figure(
        "cuped_width", float(np.mean(narrowing)), "of the plain width", "sqrt(1 - rho²)",
        float(np.mean(predicted)),
        float(np.mean(narrowing) / np.mean(predicted)), runs,
    )  # fmt: skip


def peeking(history: pa.Table, runs: int) -> Iterator[Figure]:
    """A/A tests looked at on each of 30 days: how many are ever called different."""
    metric = load_metric_library()["clicks_per_user"]
    units, days, as_of = _replayed(history, [metric])
    values = compute_unit_values(metric, days, units, as_of)
    first = units.exposed_at.min()
    cohort = ((units.exposed_at - first) // 86_400_000_000).astype(np.int64)
    kept = values.matured & (cohort < 30)
    rule = DecisionRule(planned_units=int(kept.sum()), inference="group_sequential", looks=5)
    settings = ExperimentSettings()
    ever = {"single look": 0, "always valid": 0, "group sequential": 0}
    for run in range(runs):
        arm = (bucket_units(units.ids, f"variant:peek-{run}") >= 0.5).astype(np.int64)
        moments = accumulate_moments(values.columns, np.where(kept, arm * 30 + cohort, -1), (2, 1, 30))
        points = trace_cohorts(
            moments, 1, rule, ALPHA, minimum_stratum_units=50, burn_in_units=settings.burn_in_units
        )
        ever["single look"] += any(point.single_look.p_value < ALPHA for point in points)
        ever["always valid"] += any(
            point.always_valid.absolute.low > 0 or point.always_valid.absolute.high < 0 for point in points
        )
        ever["group sequential"] += any(
            look.crossed for look in evaluate_looks(points, rule, ALPHA, complete=True)
        )
    for name, count in ever.items():
        yield Figure(f"peeking_false_positives[{name}]", 100 * count / runs, "% over 30 daily looks", rows=runs)


def design_power(history: pa.Table, runs: int) -> Iterator[Figure]:
    """Plans from the history, then experiments of the planned size on units drawn from it, with the lift planted.

    An experiment is read once, at its planned end, by the interval that it was planned for.
    """
    rng = np.random.default_rng(5)
    burn_in = ExperimentSettings().burn_in_units
    for kind, lift, inference in (
        ("proportion", 0.1, "fixed"),
        ("mean", 0.06, "fixed"),
        ("ratio", 0.04, "fixed"),
        ("mean", 0.06, "always_valid"),
    ):
        metric = load_metric_library()[KINDS[kind]]
        past = measure_baseline(metric, history, 42)
        planned = design_experiment(_experiment(KINDS[kind], lift, inference), past, power=0.8, maximum_days=90)
        units, days, as_of = _replayed(history, [metric])
        values = compute_unit_values(metric, days, units, as_of)
        pool = np.flatnonzero(values.matured)
        hits = 0
        for _ in range(runs):
            drawn = rng.choice(pool, planned.units)
            arm = rng.integers(0, 2, planned.units)
            columns = {name: column[drawn] for name, column in values.columns.items()}
            columns[NUMERATOR] = _lifted(kind, columns[NUMERATOR], arm == 1, lift, past.mean, rng)
            found = estimate_effect(accumulate_moments(columns, arm, (2, 1, 1)), 1)
            read = (
                infer_always_valid(found, ALPHA, planned.units_per_pair, burn_in)
                if inference == "always_valid"
                else infer_single_look(found, ALPHA)
            )
            hits += read.absolute.low > 0
        yield Figure(f"design_power[{kind}, {inference}]", 100 * hits / runs, "% of experiments", "promised", 80.0,
                     rows=planned.units)  # fmt: skip


def sample_ratios(runs: int) -> Iterator[Figure]:
    """A split of 50.5 : 49.5, which must be found, and ramps from 10 to 50%, which must not alarm."""
    alarm_p = ExperimentSettings().srm_alarm_p
    even = _experiment("clicks_per_user", 0.05, "fixed")
    broken = check_sample_ratio(_split(np.arange(200_000) < 101_000, np.zeros(200_000)), even, alarm_p)
    yield Figure("sample_ratio_p[50.5 : 49.5]", broken.p_value, "p-value", "alarm below", alarm_p, rows=200_000)
    first, second = even.starts_at, even.starts_at + dt.timedelta(days=7)
    steps = [(first, 0.1), (second, 0.5)]
    ramp = [
        {"from": at, "traffic": 1.0, "shares": {"control": 1 - share, "treatment": share}} for at, share in steps
    ]
    alarms = 0
    ids = pa.array([f"u{i}" for i in range(20_000)])
    step = np.arange(len(ids)) // (len(ids) // 2)
    for run in range(runs):
        experiment = Experiment.model_validate({**even.model_dump(), "ramp": ramp, "salt": f"ramp-{run}"})
        file = ExperimentDefinitions(experiments={experiment.id: experiment})
        treated = np.concatenate(
            [assign_units(file, experiment.id, ids.filter(pa.array(step == i)), None, at).variants
             for i, (at, _) in enumerate(steps)]
        )  # fmt: skip
        alarms += check_sample_ratio(_split(treated == 1, step), experiment, alarm_p).alarm
    yield Figure("sample_ratio_alarms[ramp 10 to 50%]", 100 * alarms / runs, "% of ramps", "by chance",
                 100 * alarm_p, rows=runs)  # fmt: skip


def _split(treated: np.ndarray, step: np.ndarray) -> Units:
    n = len(treated)
    return Units(("control", "treatment"), ("(none)",), pa.nulls(n, pa.string()), treated.astype(np.int8),
                 np.zeros(n, np.int16), np.zeros(n, np.int64), step.astype(np.int16))  # fmt: skip


def _replayed(history: pa.Table, metrics: object) -> tuple[Units, object, dt.datetime]:
    dates = pc.cast(history["date"], pa.int32()).to_numpy()
    measures = list(dict.fromkeys(measure for metric in metrics for measure in metric.measures))
    units, days = replay_history(history, int(dates.min()) + 14, measures)
    end = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=int(dates.max()) + 1)
    return units, days, end


def _experiment(metric: str, lift: float, inference: str) -> Experiment:
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
        decision=DecisionRule(inference=inference),
    )


def _lifted(
    kind: str, values: np.ndarray, treated: np.ndarray, lift: float, mean: float, rng: np.random.Generator
):
    if kind != "proportion":
        return values * np.where(treated, 1 + lift, 1.0)
    converts = rng.random(len(values)) < mean * lift / (1 - mean)
    return np.where(treated & converts, 1.0, values)


def _significant(found: EffectEstimate) -> bool:
    return 2 * norm.sf(abs(found.absolute) / found.standard_error) < ALPHA
