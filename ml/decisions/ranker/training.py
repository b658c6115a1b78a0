"""Learns the blend from the event log: ranks the candidates before an opening, then sees what was opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from ml.arrays import F32, F64, I64, Bools
from ml.decisions.activity.activity import Activity, ActivityLimits
from ml.decisions.activity.change_fold import fold_change
from ml.decisions.activity.state_change import OPENINGS, ORDERS, StateChange
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.candidates import TrendingItems, gather_candidates
from ml.decisions.items.champion_scorer import make_scorer
from ml.decisions.ranker.blend import RankingBlend
from ml.decisions.ranker.features import FeatureBuilder
from ml.decisions.ranker.ranked_days import DayJudge
from ml.decisions.ranker.ranking_context import RankingContext
from ml.decisions.ranker.ranking_examples import RankingExample, ReplayedOpening, stack_examples
from ml.events.quarantine import Quarantine

PERSONAL = 50
APPROXIMATE_ABOVE = 50_000
HELD_SHARE = 0.1
FILLING_SHARE = 1 / 3  # of the openings only fill the memory
TREES = {
    "objective": "lambdarank",
    "n_estimators": 150,
    "learning_rate": 0.07,
    "num_leaves": 15,
    "min_child_samples": 300,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.4,
    "reg_lambda": 10.0,
    "lambdarank_truncation_level": 10,
    "verbose": -1,
    # LightGBM's threads spin while they wait. On a busy machine, two of them cost 8 to 12 s of processor time
    # instead of 1 for 34,000 rows, and still 28 instead of 12 for 600,000.
    "n_jobs": 1,
}


@dataclass(frozen=True)
class TrainedBlend:
    """What a training learned, and what can judge it.

    Attributes:
        blend: The blend.
        held: The newest openings, oldest first; the blend did not learn from them.
    """

    blend: RankingBlend
    held: Sequence[ReplayedOpening]


def train_blend(
    changes: Sequence[StateChange],
    index: BundleIndex | None,
    *,
    questions: int,
    minimum_questions: int,
    seed: int,
    quarantine: Quarantine,
    counted_openings: int = ActivityLimits.counted_openings,
    judge: DayJudge | None = None,
) -> TrainedBlend:
    """Learn the blend from the newest openings of the log.

    Args:
        changes: Events, oldest first. The first third only fills the memory.
        index: The items' facts; None without any.
        questions: Largest number of openings that become examples, drawn from the rest.
        minimum_questions: Number of examples below which the prior weights are kept: trees on few examples are
            noise.
        seed: Seed of the draw and of the trees.
        quarantine: Where a change that breaks the memory is recorded.
        counted_openings: Openings of an item by one person that count for its popularity, as in the service.
        judge: Also judges another ranker by the openings that it did not know.
    """
    drawn = draw_openings(changes, questions, seed)
    held_from = drawn[int((1 - HELD_SHARE) * len(drawn))] if drawn else 0
    replay = Replay(changes, index, drawn, quarantine, counted_openings)
    generator = np.random.default_rng(seed)
    learned: list[RankingExample] = []
    held: list[ReplayedOpening] = []
    missed = 0
    for position, opening in replay.openings(held_from, judge.since if judge else None):
        if judge is not None:
            judge.add(opening)
        missed += opening.opened is None
        if position >= held_from:
            held.append(opening)
        elif opening.example is not None:
            learned.append(opening.example.thin(generator))
    judging = [opening.example for opening in held if opening.example is not None]
    total = len(learned) + len(judging)
    if total < minimum_questions or not learned or not judging:
        blend = RankingBlend.prior()
        blend.figures = {"questions": total, "learned": False}
        return TrainedBlend(blend, held)
    features, opened, sizes = stack_examples(learned)
    ranker = fit_ranker(features, opened, sizes, seed=seed)
    held_features, held_opened, held_sizes = stack_examples(judging)
    scores = np.asarray(ranker.predict(held_features), dtype=np.float64)
    prior_scores = RankingBlend.prior().base_scores(held_features)
    blend = RankingBlend(
        ranker=ranker,
        means=features.mean(axis=0, dtype=np.float64),
        deviations=features.std(axis=0, dtype=np.float64) + 1e-6,
        scale=calibrate_scale(scores, held_opened, held_sizes),
        figures={
            "learned": True,
            "questions": total,
            "missed_share": round(missed / (missed + total), 4),
            "hit_rate_at_5": hit_rate(scores, held_opened, held_sizes, 5),
            "hit_rate_at_5_of_prior": hit_rate(prior_scores, held_opened, held_sizes, 5),
            "learned_until": changes[held_from].at,
            "read_until": changes[-1].at,
        },
    )
    return TrainedBlend(blend, held)


def fit_ranker(features: F32, opened: Bools, sizes: I64, *, seed: int) -> lgb.Booster:
    """Fit the trees to examples as `stack_examples` returns them."""
    ranker = lgb.LGBMRanker(**TREES, random_state=seed)
    return ranker.fit(features, opened, group=sizes).booster_


class Replay:
    """Replays the log into an activity and describes the candidates before some of the openings.

    Args:
        changes: Events, oldest first.
        index: The items' facts; None without any.
        drawn: Positions of the openings, ascending.
        quarantine: Where a change that breaks the memory is recorded.
        counted_openings: Openings of an item by one person that count for its popularity.
    """

    def __init__(
        self,
        changes: Sequence[StateChange],
        index: BundleIndex | None,
        drawn: Sequence[int],
        quarantine: Quarantine,
        counted_openings: int = ActivityLimits.counted_openings,
    ) -> None:
        self._changes, self._index, self._drawn, self._quarantine = changes, index, set(drawn), quarantine
        self._activity = Activity(ActivityLimits(counted_openings=counted_openings))
        self._join = BundleJoin(index)
        for _ in self._join.join(self._activity):
            pass
        # The trained vectors of people were learned from the very openings that become examples. Only what
        # somebody did before an opening may be used to rank it.
        self._scorer = make_scorer(self._join, PERSONAL, APPROXIMATE_ABOVE)
        self._features, self._trending = FeatureBuilder(self._activity), TrendingItems(self._activity)

    def openings(self, whole_from: int, whole_since: float | None = None) -> Iterator[tuple[int, ReplayedOpening]]:
        """Go through the log once.

        Args:
            whole_from: Position from which an opening has features even if its item was no candidate.
            whole_since: Time from which it has, Unix seconds; None for no other than those.

        Yields:
            The position and the opening, oldest first.
        """
        for position, change in enumerate(self._changes):
            if position in self._drawn and change.user in self._activity.visitors and change.item is not None:
                is_whole = position >= whole_from or (whole_since is not None and change.at > whole_since)
                opening = self._rank(change, change.item, is_whole=is_whole)
                if opening is not None:
                    yield position, opening
            fold_change(change, [self._activity.observe], self._quarantine, "publishing")

    def _rank(self, change: StateChange, item: str, *, is_whole: bool) -> ReplayedOpening | None:
        """Gather the candidates before an opening; None where the item could not be recommended."""
        activity = self._activity
        visitor, key = activity.visitors[change.user], activity.keys.get(item, -1)
        # What somebody has opened before is no candidate.
        if key in visitor.seen or not activity.find_consent(change.user).is_granted:
            return None
        row = self._index.user_rows.get(change.user) if self._index else None
        context = RankingContext(
            change.at,
            activity.find_visit(change.session, change.user, change.at),
            visitor,
            self._scorer.fold_in_recent(visitor),
            self._join.segment_of(row),
            excluded=visitor.seen | visitor.rejected,
        )
        keys = gather_candidates(context, self._scorer, self._trending).keys
        place = int(np.searchsorted(keys, key))
        opened = place if place < len(keys) and keys[place] == key else None
        is_described = len(keys) > 0 and (opened is not None or is_whole)
        features = self._features.build(context, keys, self._scorer) if is_described else None
        return ReplayedOpening(change.at, change.user, opened, features)


def draw_openings(changes: Sequence[StateChange], questions: int, seed: int) -> list[int]:
    """Draw the positions of the openings that are ranked, ascending.

    They are drawn at random: people's first and second openings alternate, and a stride would meet one kind.
    """
    openings = _example_openings(changes)
    drawn = np.random.default_rng(seed).choice(openings, min(questions, len(openings)), replace=False)
    return sorted(int(position) for position in drawn)


def first_example_at(changes: Sequence[StateChange]) -> float | None:
    """Return the time of the first opening that may become an example, Unix seconds; None without openings."""
    openings = _example_openings(changes)
    return changes[openings[0]].at if openings else None


def _example_openings(changes: Sequence[StateChange]) -> list[int]:
    """Return the positions of the openings that may become examples."""
    ordered = {(change.user, change.item) for change in changes if change.event_type in ORDERS and change.item}
    met: set[tuple[str, str | None]] = set()
    openings = []
    for position, change in enumerate(changes):
        if not change.item or change.event_type not in OPENINGS | ORDERS:
            continue
        pair = (change.user, change.item)
        if change.event_type in OPENINGS or pair not in met:
            openings.append(position)
        if pair in ordered:
            met.add(pair)
    return openings[int(FILLING_SHARE * len(openings)) :]


def calibrate_scale(scores: F64, opened: Bools, sizes: I64) -> float:
    """Choose the divisor with which the softmax of the scores within each example predicts the opening best."""
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    example = np.repeat(np.arange(len(sizes)), sizes)
    spread = max(float(scores.std()), 1e-6)

    def log_loss(scale: float) -> float:
        logits = scores / scale
        logits -= np.maximum.reduceat(logits, starts)[example]
        totals = np.add.reduceat(np.exp(logits), starts)
        return float((np.log(totals) - logits[opened]).mean())

    return min((spread / sharpness for sharpness in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)), key=log_loss)


def hit_rate(scores: F64, opened: Bools, sizes: I64, k: int) -> float:
    """Return the share of examples whose opened item is among the k best; ties are in random order."""
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    opened_score = np.repeat(np.add.reduceat(np.where(opened, scores, 0.0), starts), sizes)
    better = np.add.reduceat((scores > opened_score).astype(np.int64), starts)
    tied = np.add.reduceat((scores == opened_score).astype(np.int64), starts)
    return round(float(np.clip((k - better) / tied, 0.0, 1.0).mean()), 4)
