"""NDCG after half of the people change their taste: trainings after alarms, weekly ones, none, and an oracle.

On simulated sites, the champion and the ranker are trained before several days, each on what was known then. What
a training published ranks the openings of all later days, with the activity of the visitors as the service has
it, so that a plan's days are put together from the trainings that it makes. The plan of the alarms is made by the
journal and the sensor's decision, morning by morning. The oracle makes a single training, on the day on which,
seen afterwards, it helps most.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from figure import Figure

from ml.bundle import Publication, build_bundle
from ml.decisions.activity.event_log_changes import read_newest_changes
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.ranker.ranked_days import DayJudge
from ml.decisions.ranker.training import Replay, draw_openings, train_blend
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.home import Home
from ml.monitoring.alarms import find_alarms
from ml.monitoring.journal import TRAINED, Entry, Journal
from ml.monitoring.training_decision import decide_on_training
from ml.monitoring.watched_tables import watched_site
from ml.publishing import publication
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.frames import features_of, interactions_of
from ml.recommenders.training_data import TrainingData
from ml.settings import load_settings
from ml.sources.simulator import Scenario, ScenarioSite, simulate_into_home
from tests.ml.monitoring.simulated_counts import count_site

START = dt.date(2026, 3, 1)  # a Sunday, on whose nights the weekly training runs
SEEDS = 3
DAYS, JUDGED_DAYS = 84, 14
ORACLE_DAYS = (1, 2, 3, 4, 5, 7, 9)  # after the change
WEEK = 7
MORNING = dt.time(4)
JUDGED_SHARE = 0.5  # of the openings after the change
ALL_EVENTS = 10_000_000
RULES = load_settings()
UTC = ZoneInfo("UTC")
NO_USERS = pa.table({"user_id": pa.array([], pa.string())})
INTERACTIONS = """
    select coalesce(user_id, anonymous_id) as user_id, item_id,
           sum(weight * pow(0.5, date_diff('second', occurred_at, $until) / 86400.0 / $half_life)) as strength,
           max(occurred_at) as last_at, sum(weight) < 0 as is_negative,
           cast(count(*) filter (event_type in ('dislike', 'not_interested')) as bigint) as dislikes
    from events join weights using (event_type)
    where item_id is not null and occurred_at < $until and coalesce(user_id, anonymous_id) is not null
    group by all order by all
"""


def measure(size: float) -> Iterator[Figure]:
    """`size` 1 is three seeds of the demo's site, five minutes each; smaller sizes take fewer seeds."""
    seeds = range(1, max(1, round(SEEDS * size)) + 1)
    outcomes = [_outcome(seed) for seed in seeds]
    oracle, frozen = (float(np.mean([each[name] for each in outcomes])) for name in ("oracle", "frozen"))
    for name in ("frozen", "weekly", "alarms"):
        ndcg = float(np.mean([each[name] for each in outcomes]))
        yield Figure(f"training_{name}_ndcg", ndcg, "NDCG@10 after the change", "oracle", oracle, ndcg / oracle)
        if name != "frozen":
            won = (ndcg - frozen) / (oracle - frozen)
            yield Figure(f"training_{name}_won_back", won, "share of the loss", rows=len(outcomes))
            trainings = float(np.mean([each[f"{name}_trainings"] for each in outcomes]))
            yield Figure(f"training_{name}_trainings", trainings, "trainings", "daily", float(JUDGED_DAYS))
    delays = [each["first_training"] for each in outcomes]
    yield Figure("training_first_after", float(np.median(delays)), "days after the change, median")


def _outcome(seed: int) -> dict[str, float]:
    """Mean NDCG of the days after the change under each plan, and how many trainings each makes."""
    site = ScenarioSite(RULES.simulator.model_copy(update={"days": DAYS}), seed, START, Scenario.TASTE_CHANGE)
    first, end = site.change_day, site.change_day + JUDGED_DAYS
    before = first - (first % WEEK or WEEK)  # the last weekly training that knows nothing of the change
    plans: dict[str, Sequence[int]] = {
        "frozen": [],
        "weekly": range(before + WEEK, end, WEEK),
        "alarms": _trainings_after_alarms(site, before, end),
    }
    choices = [first + day for day in ORACLE_DAYS]
    with _Past(site, end) as past:
        days = {day: past.ndcg_of(day) for day in sorted({before, *choices, *plans["weekly"], *plans["alarms"]})}
    means = {name: _mean(days, before, plan, first, end) for name, plan in plans.items()}
    means["oracle"] = max(_mean(days, before, [day], first, end) for day in choices)
    counts = {f"{name}_trainings": float(len(plan)) for name, plan in plans.items()}
    return means | counts | {"first_training": float(min(plans["alarms"], default=np.inf)) - first}


def _mean(days: dict[int, dict[int, float]], before: int, plan: Sequence[int], first: int, end: int) -> float:
    """Mean over the days of what the newest training before each reaches."""
    trainings = sorted({before, *plan})
    return float(
        np.mean([days[max(day for day in trainings if day <= judged)][judged] for judged in range(first, end)])
    )


def _trainings_after_alarms(site: ScenarioSite, before: int, end: int) -> list[int]:
    """Days before whose openings the sensor starts a training, which reads the days until then."""
    tables = count_site(site, end)
    with tempfile.TemporaryDirectory() as folder:
        journal, trained = Journal(Home(Path(folder))), before
        plan: list[int] = []
        for day in range(site.change_day - 2 * WEEK, end):
            now = dt.datetime.combine(site.date_of(day), MORNING, dt.UTC)
            parts = [
                table.filter(pc.field(name) < pa.scalar(site.date_of(day)).cast(table[name].type))
                for table, name in zip(tables, ("hour", "hour", "date"), strict=True)
            ]
            journal.record(
                find_alarms(watched_site(*parts, RULES.monitoring), RULES.monitoring), now, RULES.monitoring
            )
            last = dt.datetime.combine(site.date_of(trained), MORNING, dt.UTC)
            decision = decide_on_training(journal, last, now, RULES.alerts)
            if day > before and decision.starts:
                journal.append([Entry(now.isoformat(), TRAINED, "", decision.reason)])
                trained = day
                plan.append(day)
    return plan


class _Past:
    """What happened on a site, to train on what was known on a day and to rank the openings that came after it."""

    def __init__(self, site: ScenarioSite, end: int) -> None:
        self._site, self._end = site, end
        self._folder = tempfile.TemporaryDirectory()
        self._home = Home(Path(self._folder.name))
        simulate_into_home(self._home, site, START, site.date_of(end))
        self._quarantine = Quarantine(self._home)
        self._changes = read_newest_changes(EventLog(self._home), ALL_EVENTS, self._quarantine, "publishing")
        self._at = np.array([change.at for change in self._changes])
        first = int(np.searchsorted(self._at, self._seconds(site.change_day)))
        openings = np.array([place for place in draw_openings(self._changes, ALL_EVENTS, 0) if place >= first])
        is_judged = np.random.default_rng(site.seed).random(len(openings)) < JUDGED_SHARE
        self._judged = openings[is_judged]

    def __enter__(self) -> _Past:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _seconds(self, day: int) -> float:
        return dt.datetime.combine(self._site.date_of(day), dt.time(), dt.UTC).timestamp()

    def ndcg_of(self, day: int) -> dict[int, float]:
        """Train at the midnight before a day; the NDCG of that day and of all later ones after the change."""
        index = BundleIndex(build_bundle(self._publication(day)))
        until = int(np.searchsorted(self._at, self._seconds(day)))
        rules = RULES.decisions.blend
        blend = train_blend(
            self._changes[max(0, until - rules.train_events) : until],
            index,
            questions=rules.train_questions,
            minimum_questions=rules.minimum_questions,
            seed=rules.seed,
            quarantine=self._quarantine,
        ).blend
        judge = DayJudge(blend, -np.inf, UTC)
        places = self._judged[self._judged >= until]
        begin = max(0, int(self._judged[0]) - rules.train_events)
        replay = Replay(self._changes[begin:], index, (places - begin).tolist(), self._quarantine)
        for _, opening in replay.openings(0):
            judge.add(opening)
        rows = judge.rows().to_pylist()
        return {(row["date"] - START).days: row["ndcg"] for row in rows}

    def _publication(self, day: int) -> Publication:
        catalogue = self._site.catalogue(0, day)
        items = catalogue.select(["item_id", "title", "category", "tags", "price", "language", "published_at"])
        frame = self._interactions(day)
        model = make_recommender("lightfm_warp", n_factors=32, epochs=10, threads=1)
        features = features_of(items, "item_id", ["category", "tags", "language"])
        data = TrainingData.align(interactions_of(frame), None, features)
        model.fit(data.interactions, data.user_features, data.item_features)
        return publication(
            users=NO_USERS, items=items, interactions=frame, segments=None, recommender=model, model_version="1",
            files={}, details={},
        )  # fmt: skip

    def _interactions(self, day: int) -> pa.Table:
        """The mart `interactions` as of a midnight, from the events, without dbt."""
        rules = RULES.warehouse
        weights = pa.table(
            {
                "event_type": list(rules.interaction_weights),
                "weight": [float(weight) for weight in rules.interaction_weights.values()],
            }
        )
        until = dt.datetime.combine(self._site.date_of(day), dt.time())
        with duckdb.connect() as memory:
            memory.execute("set threads = 1; set timezone = 'UTC'")
            files = [str(EventLog(self._home).path(part)) for part in EventLog(self._home).parts()]
            memory.register("weights", weights)
            memory.from_parquet(files).create_view("events")
            values = {"until": until, "half_life": rules.interaction_half_life_days}
            return memory.sql(INTERACTIONS, params=values).to_arrow_table()
