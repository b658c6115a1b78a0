"""Trials of new models on simulated sites: those that are planted worse, and those that are no different.

A tenth of the people get the new model. It is looked at every day, and a worse one loses a share of the clicks
that the former model would have got. The rival reads a usual interval every day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
from figure import Figure

from ml.experiments.analysis.estimates import EffectEstimate
from ml.experiments.analysis.inference import infer_single_look
from ml.experiments.rankers.canary import CanaryComparison, compare_canary, judge_canary
from ml.settings.evaluation import CanarySettings
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator import Scenario, ScenarioSite
from serving.experiment.traffic_split import traffic_position

START = dt.date(2026, 3, 1)
SEEDS, TRIED_ON_DAY = 20, 20
SETTINGS = CanarySettings()
LOSSES = (0.5, 0.3, 0.0)
PERSON, ANSWER = ("user_id", "anonymous_id"), ("recommendation_id", "properties")
COLUMNS = ["event_type", "occurred_at", "device_type", *PERSON, *ANSWER]
ANSWERS = """
    with clicks as (select distinct recommendation_id from events where event_type = 'click')
    select coalesce(user_id, anonymous_id) as person,
           date_diff('day', timestamp '{start}', cast(occurred_at as timestamp)) as day,
           clicks.recommendation_id is not null as is_clicked
    from events left join clicks using (recommendation_id)
    where event_type = 'served' and properties->>'role' = 'champion' and device_type <> 'bot'
      and coalesce(user_id, anonymous_id) is not null
    order by recommendation_id
"""


def measure(size: float) -> Iterator[Figure]:
    """`size` 1 is twenty seeds of the demo's site; smaller sizes take fewer seeds."""
    seeds = range(1, max(1, round(SEEDS * size)) + 1)
    answers = [_answers(seed) for seed in seeds]
    for loss in LOSSES:
        outcomes = [_try(table, loss, seed) for seed, table in zip(seeds, answers, strict=True)]
        name = f"canary_loss_{loss:.0%}".replace("%", "")
        ours, rival = ([end == "roll_back" for end, *_ in outcomes], [peeked for *_, peeked in outcomes])
        yield Figure(
            f"{name}_rolled_back",
            float(np.mean(ours)),
            "share of trials",
            "a usual interval read every day",
            float(np.mean(rival)),
            float(np.mean(ours) / np.mean(rival)) if np.mean(rival) else 0.0,
            rows=len(outcomes),
        )
        yield Figure(f"{name}_days", float(np.median([day for _, day, *_ in outcomes])), "days, median")
        early = [end == "roll_back" and day < SETTINGS.most_days for end, day, *_ in outcomes]
        yield Figure(f"{name}_rolled_back_for_certain", float(np.mean(early)), "share of trials")
        yield Figure(f"{name}_exposure", float(np.mean([shown for *_, shown, _ in outcomes])), "share of answers")


def _answers(seed: int) -> pa.Table:
    """Person, day and click of each answer of a quiet site."""
    days = TRIED_ON_DAY + int(SETTINGS.most_days)
    site = ScenarioSite(SimulatorSettings(days=days), seed, START, Scenario.QUIET)
    with duckdb.connect() as memory:
        memory.execute("set threads = 1; set timezone = 'UTC'")
        for number, table in enumerate(site.events(0, days)):
            rows = table.select(COLUMNS)
            memory.register("arrived", rows)
            kept = "from arrived where event_type in ('served', 'click') and recommendation_id is not null"
            memory.execute(f"{'insert into events' if number else 'create table events as'} select * {kept}")
        return memory.sql(ANSWERS.format(start=START)).to_arrow_table()


def _try(answers: pa.Table, loss: float, seed: int) -> tuple[str, float, float, bool]:
    """How a trial ends, after how many days, the share of answers it had, and whether the rival rolls it back."""
    rng = np.random.default_rng(seed)
    frame = answers.to_pandas()
    before = frame[(frame["day"] >= TRIED_ON_DAY - SETTINGS.most_days) & (frame["day"] < TRIED_ON_DAY)]
    frame = frame[frame["day"] >= TRIED_ON_DAY]
    arms = {person: traffic_position(person, "canary") < SETTINGS.share for person in frame["person"].unique()}
    frame = frame.assign(role=np.where(frame["person"].map(arms), "canary", "champion"))
    is_lost = (frame["role"] == "canary") & (rng.random(len(frame)) < loss)
    frame = frame.assign(clicked=frame["is_clicked"] & ~is_lost)
    peeked, end = False, ("go_on", 0.0, 0.0)
    for days in range(1, int(SETTINGS.most_days) + 1):
        seen = frame[frame["day"] < TRIED_ON_DAY + days]
        people = seen.groupby(["role", "person"]).agg(answers=("day", "size"), clicked_answers=("clicked", "sum"))
        table = pa.Table.from_pandas(people.reset_index()[["role", "answers", "clicked_answers"]])
        comparison = compare_canary(table, before["person"].nunique(), SETTINGS)
        peeked = peeked or _peek(comparison)
        if end[0] == "go_on":
            verdict = judge_canary(comparison, days, SETTINGS)
            end = (verdict.decision, float(days), float((seen["role"] == "canary").mean()))
    return (*end, peeked)


def _peek(comparison: CanaryComparison) -> bool:
    """Whether a usual interval lies below zero at this look."""
    canary, champion = comparison.canary, comparison.champion
    estimate = EffectEstimate(
        champion.share, canary.share, champion.variance, canary.variance, champion.people, canary.people
    )
    return infer_single_look(estimate, 1 - SETTINGS.confidence).relative.high < 0
