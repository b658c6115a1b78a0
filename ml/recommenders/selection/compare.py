"""Candidates side by side: each configuration fitted on the past, measured on what came next."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.dataset.interactions import Interactions
from ml.evaluation.bootstrap import Interval, paired_difference
from ml.evaluation.gains import describe_gain
from ml.evaluation.gate import Contender
from ml.evaluation.ranking_metrics import RankingMetrics, by_group, measure
from ml.recommenders.base import Recommender
from ml.recommenders.data_split import DataSplit
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.composition import composition_report
from ml.recommenders.training_engine import LocalTraining, TrainingEngine
from ml.settings.decisions import DiversitySettings

COMPOSED_USERS = 300
BASELINE = "the baseline"


@dataclass(frozen=True)
class Configuration:
    """A model of the zoo with its parameters, plain values."""

    model: str
    params: Mapping[str, Any]

    def make(self) -> Recommender:
        """An unfitted recommender."""
        return make_recommender(self.model, **self.params)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Configuration:
        """What `as_dict` gave."""
        return cls(values["model"], {name: value for name, value in values.items() if name != "model"})

    def as_dict(self) -> dict[str, Any]:
        """Model and parameters in one plain dictionary."""
        return {"model": self.model, **self.params}


@dataclass(frozen=True)
class Candidate:
    """One measured configuration.

    Attributes:
        seconds: time to fit and to recommend.
        composition: what composing its lists costs, see `composition_report`.
    """

    configuration: Configuration
    measured: RankingMetrics
    worst_segment: float
    seconds: float
    composition: pa.Table | None = None

    def contender(self, metric: str) -> Contender:
        """The form that the gate takes; `metric` without `_at_k` decides."""
        metrics = {**self.measured.named(), f"worst_segment_{metric}_at_{self.measured.k}": self.worst_segment}
        return Contender(
            self.configuration.model, self.configuration.as_dict(), metrics, self.measured.per_user[metric]
        )


def compare(
    configurations: Sequence[Configuration],
    split: DataSplit,
    k: int,
    *,
    metric: str = "ndcg",
    most_users: int | None = None,
    segments: Mapping[str, str] | None = None,
    seed: int = 0,
    diversity: DiversitySettings | None = None,
    engine: TrainingEngine | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Iterator[Candidate]:
    """Fit each configuration on the training data of a split and measure it on the test interactions.

    Args:
        configurations: what is fitted, in this order.
        split: Training data and test interactions.
        k: length of the lists.
        metric: metric by which the worst segment is found.
        most_users: measure on so many test users, drawn at random, where there are more.
        segments: segment of each user id, for the worst segment.
        seed: seed of the samples of users.
        diversity: how the service composes lists, whose cost is then measured on a sample.
        engine: what fits and ranks; None: this process.
        log: Receives a line of progress before each fit.
    """
    test, train = sampled_users(split.test.only_liked(), most_users, seed), split.train
    engine = engine or LocalTraining()
    for number, configuration in enumerate(configurations, start=1):
        log(f"{number} of {len(configurations)}: {configuration.model}")
        start = time.perf_counter()
        recommender = engine.fit(configuration.make(), train)
        recommended = engine.recommend(recommender, test.users.values, k)
        seconds = time.perf_counter() - start
        measured = measure(recommended, test, train.interactions, k, train.interactions.items)
        some = sampled_users(test, COMPOSED_USERS, seed)
        report = None if diversity is None else composition_report(recommender, some, train, diversity, k)
        yield Candidate(configuration, measured, worst_segment(measured, metric, segments), seconds, report)


def sampled_users(test: Interactions, most: int | None, seed: int) -> Interactions:
    """The pairs of at most so many users, drawn at random."""
    if most is None or len(test.users) <= most:
        return test
    chosen = np.zeros(len(test.users), bool)
    chosen[np.random.default_rng(seed).choice(len(test.users), most, replace=False)] = True
    return test.select(chosen[test.rows]).compact()


def worst_segment(
    measured: RankingMetrics, metric: str, segments: Mapping[str, str] | None, least_users: int = 30
) -> float:
    """Mean of the metric in the segment where it is lowest, of those with enough users; NaN without segments."""
    if not segments:
        return float("nan")
    names = pa.array([segments.get(user) for user in measured.users.to_list()], pa.string())
    means = [mean for mean, n in by_group(measured.per_user[metric], names).values() if n >= least_users]
    return min(means, default=float("nan"))


def comparison_table(candidates: Sequence[Candidate], metric: str, baseline: str) -> pa.Table:
    """One row a candidate: model, configuration as JSON, every metric, test users, seconds, `gain`.

    `gain` says in words how much more of the deciding metric the candidate has than the one named `baseline`.
    A metric that is not defined, such as that of the worst segment without segments, is null.
    """
    rows = []
    contenders = [candidate.contender(metric) for candidate in candidates]
    gains = gains_over(baseline, contenders)
    for candidate, contender, gain in zip(candidates, contenders, gains, strict=True):
        configuration = json.dumps(dict(contender.configuration), sort_keys=True)
        rows.append(
            {
                "model": contender.name,
                "configuration": configuration,
                **contender.metrics,
                "users": len(candidate.measured.users),
                "seconds": candidate.seconds,
                "gain": BASELINE if gain is None else describe_gain(gain),
            }
        )
    table = pa.Table.from_pylist(rows)
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table.column(place)
            table = table.set_column(place, field, pc.if_else(pc.is_nan(column), None, column))
    return table


def scores_table(candidates: Sequence[Candidate], metric: str) -> pa.Table:
    """One row a candidate and test user: configuration, user_id, value of the deciding metric."""
    parts = [
        pa.table(
            {
                "configuration": pa.array(
                    [json.dumps(candidate.configuration.as_dict(), sort_keys=True)] * len(candidate.measured.users)
                ),
                "user_id": candidate.measured.users.values,
                "value": candidate.measured.per_user[metric],
            }
        )
        for candidate in candidates
    ]
    return pa.concat_tables(parts)


def gains_over(
    baseline: str, contenders: Sequence[Contender], confidence: float = 0.95, seed: int = 0
) -> list[Interval | None]:
    """Return the gain of each contender over the one named `baseline`, paired over users.

    Args:
        baseline: Name of the contender that the others are compared with.
        contenders: All contenders, measured on the same users in the same order.
        confidence: Level of the intervals.
        seed: Seed of the intervals.

    Returns:
        Gains in the order of the contenders; None for the baseline.
    """
    base = next(contender for contender in contenders if contender.name == baseline)
    return [
        None if contender is base else paired_difference(contender.per_user, base.per_user, confidence, seed=seed)
        for contender in contenders
    ]


def contenders_from_tables(comparison: pa.Table, scores: pa.Table) -> list[Contender]:
    """Contenders of the gate from what `comparison_table` and `scores_table` gave."""
    contenders = []
    numbers = [field.name for field in comparison.schema if pa.types.is_floating(field.type)]
    for row in comparison.to_pylist():
        rows = scores.filter(pc.equal(scores["configuration"], row["configuration"])).sort_by("user_id")
        metrics = {name: float("nan") if row[name] is None else row[name] for name in numbers if name != "seconds"}
        values = rows["value"].to_numpy(zero_copy_only=False)
        contenders.append(Contender(row["model"], json.loads(row["configuration"]), metrics, values))
    return contenders
