"""NDCG of the ranker's days as its probabilities let expect it, against what came out, on simulated sites.

A ranker is learned some days before something happens on the site, and judged on the days after. Beside
it stands what one would say without an estimate: the NDCG that was measured when it was learned. Sites of one kind
differ little, so that the correlation is also taken over sites of other kinds, whose NDCG differs.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from figure import Figure

from ml.bundle import build_bundle
from ml.decisions.activity.event_log_changes import read_newest_changes
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.ranker.ranked_days import DayJudge, judge_held
from ml.decisions.ranker.training import TrainedBlend, train_blend
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.home import Home
from ml.publishing import publication
from ml.settings import load_settings
from ml.sources.simulator import Scenario, ScenarioSite, simulate_into_home

START = dt.date(2026, 3, 1)
SEEDS = 4
DAYS = 60
BEFORE, AFTER = 4, 10  # days from the publication to the change, and from the change to the last judged day
UTC = ZoneInfo("UTC")
KINDS: dict[str, dict[str, Any]] = {
    "few items": {"items": 150, "new_items_per_day": 4},
    "few people": {"users": 600},
    "even appeal": {"browsing": {"appeal_sigma": 1.0}},
    "sharp tastes": {"browsing": {"interest_exponent": 2.0}},
}
"""Changes of the simulator's settings."""
OF_KINDS = (Scenario.QUIET, Scenario.TASTE_CHANGE)
NO_INTERACTIONS = pa.schema(
    {
        "user_id": pa.string(), "item_id": pa.string(), "last_at": pa.timestamp("us"), "is_negative": pa.bool_(),
        "dislikes": pa.int64(),
    }
)  # fmt: skip


def measure(size: float) -> Iterator[Figure]:
    """`size` 1 is four seeds of each scenario on the demo's site; smaller sizes take fewer seeds."""
    seeds = range(1, max(1, round(SEEDS * size)) + 1)
    others = [
        _judge(scenario, 1, changes).to_pandas().assign(scenario=scenario.value, seed=kind)
        for kind, changes in KINDS.items()
        for scenario in OF_KINDS
    ]
    scenarios = [scenario for scenario in Scenario if scenario is not Scenario.WORSE_CHAMPION]  # shows no item
    parts = [
        _judge(scenario, seed).to_pandas().assign(scenario=scenario.value, seed=seed)
        for scenario in scenarios
        for seed in seeds
    ]
    days = pd.concat(parts)
    covered = (days["expected_ndcg_low"] <= days["ndcg"]) & (days["ndcg"] <= days["expected_ndcg_high"])
    sites = _by_site(days)
    error = (sites["expected_ndcg"] / sites["ndcg"] - 1).abs()
    rival = (sites["at_training"] / sites["ndcg"] - 1).abs()
    for scenario in scenarios:
        of_scenario = days["scenario"] == scenario.value
        yield Figure(
            f"ranker_estimate_{scenario.value}",
            float(error[scenario.value].mean()),
            "mean relative error of two weeks",
            "NDCG at the training",
            float(rival[scenario.value].mean()),
            float(error[scenario.value].mean() / rival[scenario.value].mean()),
            rows=int(of_scenario.sum()),
        )
        yield Figure(
            f"ranker_estimate_{scenario.value}_covered",
            float(covered[of_scenario].mean()),
            "share of days in the 95% interval",
        )
    yield Figure("ranker_estimate_within_10", float((error <= 0.1).mean()), "share of sites", rows=len(sites))
    for name, table in (("of one kind", sites), ("of five kinds", _by_site(pd.concat([days, *others])))):
        for figure in ("expected_ndcg", "at_training"):
            correlation = float(np.corrcoef(table[figure], table["ndcg"])[0, 1])
            yield Figure(
                f"ranker_estimate_correlation, {figure}", correlation, f"over sites {name}", rows=len(table)
            )


def _by_site(days: pd.DataFrame) -> pd.DataFrame:
    """Mean figures of each scenario and seed, by openings."""
    figures = ["expected_ndcg", "ndcg", "at_training"]
    weighted = days[figures].mul(days["openings"], axis=0).groupby([days["scenario"], days["seed"]]).sum()
    return weighted.div(days.groupby(["scenario", "seed"])["openings"].sum(), axis=0)


def _judge(scenario: Scenario, seed: int, changes: Mapping[str, Any] | None = None) -> pa.Table:
    """The days after the training of one site, each with the NDCG that was measured at the training."""
    update = {"days": DAYS, **(changes or {})}
    settings = load_settings().simulator
    update["browsing"] = settings.browsing.model_copy(update=update.get("browsing"))
    site = ScenarioSite(settings.model_copy(update=update), seed, START, scenario)
    published = site.change_day - BEFORE
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        simulate_into_home(home, site, START, site.date_of(published))
        trained = _train(home, site, published, None)
        held = judge_held(trained.blend, trained.held, UTC).to_pandas()
        at_training = float(np.average(held["ndcg"], weights=held["openings"]))
        judge = DayJudge.of_published(trained.blend, UTC)
        simulate_into_home(home, site, site.date_of(published), site.date_of(site.change_day + AFTER))
        _train(home, site, site.change_day + AFTER, judge)
    if judge is None:
        raise RuntimeError(f"{scenario}, seed {seed}: too few openings for a ranker")
    rows = judge.rows()
    return rows.append_column("at_training", pa.array([at_training] * len(rows)))


def _train(home: Home, site: ScenarioSite, until_day: int, judge: DayJudge | None) -> TrainedBlend:
    blend = load_settings().decisions.blend
    catalogue = site.catalogue(0, until_day)
    prepared = publication(
        users=pa.table({"user_id": pa.array([], pa.string())}),
        items=catalogue.select(["item_id", "title", "category", "tags", "price", "language", "published_at"]),
        interactions=NO_INTERACTIONS.empty_table(),
        segments=None, recommender=None, model_version=None, files={}, details={},
    )  # fmt: skip
    quarantine = Quarantine(home)
    return train_blend(
        read_newest_changes(EventLog(home), blend.train_events, quarantine, "publishing"),
        BundleIndex(build_bundle(prepared)),
        questions=blend.train_questions,
        minimum_questions=blend.minimum_questions,
        seed=blend.seed,
        quarantine=quarantine,
        judge=judge,
    )
