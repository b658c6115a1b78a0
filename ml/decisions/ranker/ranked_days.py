"""How well a ranker ranks each day: what its probabilities let expect, and what came out.

The softmax of the scores is the probability that a candidate is opened next. What a ranking is worth follows from
these alone, before anybody opens anything (confidence-based performance estimation). It holds while the
probabilities do: if people choose otherwise under the same features, the ranking comes out worse than expected.
The newest openings before the training, which the ranker did not learn from, correct what the probabilities
promise and tell by how much days vary.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from scipy.stats import norm

from ml.arrays import F64
from ml.decisions.ranker.blend import RankingBlend
from ml.decisions.ranker.ranking_examples import ReplayedOpening
from ml.evaluation.recorded_days import add_days

K = 10
FEWEST_OPENINGS = 30  # of a day; fewer say nothing about it
SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("learned_until", pa.timestamp("us")),
        pa.field("is_held_out", pa.bool_()),
        pa.field("openings", pa.int64()),
        pa.field("candidate_share", pa.float64()),
        pa.field("expected_ndcg", pa.float64()),
        pa.field("expected_ndcg_low", pa.float64()),
        pa.field("expected_ndcg_high", pa.float64()),
        pa.field("ndcg", pa.float64()),
        pa.field("ndcg_low", pa.float64()),
        pa.field("ndcg_high", pa.float64()),
        pa.field("expected_hit_share", pa.float64()),
        pa.field("hit_share", pa.float64()),
    ]
)
_CALIBRATION = "calibration"  # of the figures of a blend
_AT_ONCE = 256
_REACH = float(norm.ppf(0.975))
_DISCOUNTS = 1 / np.log2(np.arange(2, K + 2))


@dataclass(frozen=True)
class Calibration:
    """What the held-out openings say about the probabilities of a ranker.

    Attributes:
        ndcg_ratio: The NDCG that came out, over the expected one.
        hit_ratio: The same of the share of openings among the first K.
        variance: Of the difference of one opening, people's openings taken together.
        openings: Number of held-out openings.
    """

    ndcg_ratio: float
    hit_ratio: float
    variance: float
    openings: int

    def reach(self, openings: int) -> float:
        """Return half the width of the 95% interval around the expected NDCG of some openings."""
        return _REACH * sqrt(self.variance * (1 / openings + 1 / self.openings))


class _Judged(NamedTuple):
    """Openings with what was expected of their ranking and what came out; float64 (n_openings,) each."""

    days: F64  # ordinals of the dates
    users: F64
    is_candidate: F64
    expected: F64
    came_out: F64
    expected_hits: F64
    hits: F64

    def on(self, day: float) -> _Judged:
        return _Judged(*(column[self.days == day] for column in self))


class DayJudge:
    """Judges a ranker by openings that it did not learn from.

    Args:
        blend: A learned blend.
        since: Openings after this time are judged, Unix seconds.
        zone: Time zone of the site, whose dates count.
    """

    def __init__(self, blend: RankingBlend, since: float, zone: ZoneInfo) -> None:
        self.since = since
        self._blend, self._zone = blend, zone
        self._waiting: list[ReplayedOpening] = []
        self._users: dict[str, int] = {}
        self._rows: list[tuple[float, ...]] = []

    @classmethod
    def of_published(cls, blend: RankingBlend, zone: ZoneInfo) -> DayJudge | None:
        """Judge a published ranker by what happened since it was learned; None where it cannot be judged."""
        read_until = blend.figures.get("read_until")
        if blend.ranker is None or read_until is None:
            return None
        return cls(blend, float(read_until), zone)

    def add(self, opening: ReplayedOpening) -> None:
        """Judge the ranker by an opening; one that it may know, or without candidates, is passed over."""
        if opening.at > self.since and opening.features is not None:
            self._waiting.append(opening)
            if len(self._waiting) >= _AT_ONCE:
                self._judge_waiting()

    def rows(self, *, is_held_out: bool = False) -> pa.Table:
        """Return a row of SCHEMA for each date with enough openings, the oldest first.

        Args:
            is_held_out: Whether the openings are those that calibrate the ranker. They expect nothing: what is
                corrected by what came out agrees with it.
        """
        judged = self._judged()
        calibration = None if is_held_out else self._calibration()
        learned_until = dt.datetime.fromtimestamp(self._blend.figures["learned_until"], dt.UTC).replace(
            tzinfo=None
        )
        rows = []
        for day in np.unique(judged.days).tolist():
            of_day = judged.on(day)
            count = len(of_day.days)
            if count < FEWEST_OPENINGS:
                continue
            ndcg = float(of_day.came_out.mean())
            reach = _REACH * sqrt(_variance(of_day.came_out - ndcg, of_day.users) / count)
            row = {
                "date": dt.date.fromordinal(int(day)),
                "learned_until": learned_until,
                "is_held_out": is_held_out,
                "openings": count,
                "candidate_share": float(of_day.is_candidate.mean()),
                "ndcg": ndcg,
                "ndcg_low": max(ndcg - reach, 0.0),
                "ndcg_high": min(ndcg + reach, 1.0),
                "hit_share": float(of_day.hits.mean()),
            }
            if calibration is not None:
                expected = calibration.ndcg_ratio * float(of_day.expected.mean())
                row["expected_ndcg"] = expected
                row["expected_ndcg_low"] = max(expected - calibration.reach(count), 0.0)
                row["expected_ndcg_high"] = min(expected + calibration.reach(count), 1.0)
                row["expected_hit_share"] = calibration.hit_ratio * float(of_day.expected_hits.mean())
            rows.append(row)
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def calibrate(self) -> None:
        """Write what the openings say about the probabilities into the figures of the blend."""
        judged = self._judged()
        if len(judged.days) < FEWEST_OPENINGS or judged.expected.sum() == 0:
            return
        ratio = float(judged.came_out.sum() / judged.expected.sum())
        self._blend.figures[_CALIBRATION] = asdict(
            Calibration(
                ndcg_ratio=ratio,
                hit_ratio=float(judged.hits.sum() / judged.expected_hits.sum()),
                variance=_variance(judged.came_out - ratio * judged.expected, judged.users),
                openings=len(judged.days),
            )
        )

    def _calibration(self) -> Calibration | None:
        written = self._blend.figures.get(_CALIBRATION)
        return Calibration(**written) if written else None

    def _judged(self) -> _Judged:
        self._judge_waiting()
        columns = np.array(self._rows, dtype=np.float64).reshape(-1, len(_Judged._fields))
        return _Judged(*columns.T)

    def _judge_waiting(self) -> None:
        openings, self._waiting = self._waiting, []
        features = [opening.features for opening in openings if opening.features is not None]
        if not features:
            return
        scores = np.split(self._blend.base_scores(np.vstack(features)), np.cumsum([len(f) for f in features])[:-1])
        for opening, of_candidates in zip(openings, scores, strict=True):
            day = dt.datetime.fromtimestamp(opening.at, self._zone).toordinal()
            user = self._users.setdefault(opening.user, len(self._users))
            outcome = _expected_and_came_out(of_candidates, opening.opened)
            self._rows.append((day, user, opening.opened is not None, *outcome))


def judge_held(blend: RankingBlend, held: Iterable[ReplayedOpening], zone: ZoneInfo) -> pa.Table:
    """Calibrate a learned blend by the openings that it did not learn from, and return their days as SCHEMA."""
    judge = DayJudge(blend, -np.inf, zone)
    for opening in held:
        judge.add(opening)
    judge.calibrate()
    return judge.rows(is_held_out=True)


def merge_days(before: pa.Table | None, tables: Sequence[pa.Table]) -> pa.Table:
    """Put days beside those of earlier runs; a later table replaces what an earlier one said of a date and ranker.

    Args:
        before: SCHEMA, of earlier runs; None for none.
        tables: SCHEMA each.

    Returns:
        SCHEMA by date and ranker, of the newest days.
    """
    ranked = ("date", "learned_until", "is_held_out")
    return add_days(before, tables, SCHEMA, lambda row: tuple(row[name] for name in ranked), ranked)


def _expected_and_came_out(scores: F64, opened: int | None) -> tuple[float, float, float, float]:
    """NDCG@K of one ranking as its probabilities expect it and as it came out, and the same of a hit among K."""
    chances = np.exp(scores - scores.max())
    best = -np.sort(-chances / chances.sum())[:K]
    expected, expected_hit = float(best @ _DISCOUNTS[: len(best)]), float(best.sum())
    if opened is None:
        return expected, 0.0, expected_hit, 0.0
    better, tied = int((scores > scores[opened]).sum()), int((scores == scores[opened]).sum())
    gains = _DISCOUNTS[better : better + tied]  # chance orders what ties
    return expected, float(gains.sum()) / tied, expected_hit, len(gains) / tied


def _variance(differences: F64, users: F64) -> float:
    """Variance of one difference, such that its sum over all openings varies as the sums of people do."""
    sums = np.bincount(users.astype(np.int64), weights=differences, minlength=1)
    return float((sums**2).sum()) / len(differences)
