"""Learns the blend from the event log: ranks the candidates before an opening, then sees what was opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from ml.decisions.ranker.ranking_context import RankingContext
from ml.decisions.ranker.ranking_examples import ExampleLog, RankingExample, stack_examples
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


def train_blend(
    changes: Sequence[StateChange],
    index: BundleIndex | None,
    *,
    questions: int,
    minimum_questions: int,
    seed: int,
    quarantine: Quarantine,
    counted_openings: int = ActivityLimits.counted_openings,
) -> RankingBlend:
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
    """
    log, missed = ExampleLog(questions, max(1, int(HELD_SHARE * questions)), HELD_SHARE, seed), 0
    for example in replay_examples(changes, index, questions, seed, quarantine, counted_openings):
        if example is None:
            missed += 1
        else:
            log.add(example)
    total = len(log)
    if total < minimum_questions:
        blend = RankingBlend.prior()
        blend.figures = {"questions": total, "learned": False}
        return blend
    learned, held = log.split()
    features, opened, sizes = stack_examples(learned)
    ranker = fit_ranker(features, opened, sizes, seed=seed)
    held_features, held_opened, held_sizes = stack_examples(held)
    scores = np.asarray(ranker.predict(held_features), dtype=np.float64)
    prior_scores = RankingBlend.prior().base_scores(held_features)
    return RankingBlend(
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
        },
    )


def fit_ranker(features: F32, opened: Bools, sizes: I64, *, seed: int) -> lgb.Booster:
    """Fit the trees to examples as `stack_examples` returns them."""
    ranker = lgb.LGBMRanker(**TREES, random_state=seed)
    return ranker.fit(features, opened, group=sizes).booster_


def replay_examples(
    changes: Sequence[StateChange],
    index: BundleIndex | None,
    questions: int,
    seed: int,
    quarantine: Quarantine,
    counted_openings: int = ActivityLimits.counted_openings,
) -> Iterator[RankingExample | None]:
    """Replay the log into an activity and describe the candidates before some of the openings.

    Yields:
        The examples, oldest first; None for an opening whose item was no candidate.
    """
    activity, join = Activity(ActivityLimits(counted_openings=counted_openings)), BundleJoin(index)
    for _ in join.join(activity):
        pass
    # The trained vectors of people were learned from the very openings that become examples. Only what somebody
    # did before an opening may be used to rank it.
    scorer = make_scorer(join, PERSONAL, APPROXIMATE_ABOVE)
    feature_builder, trending = FeatureBuilder(activity), TrendingItems(activity)
    openings = _example_openings(changes)
    # Openings are drawn at random: people's first and second openings alternate, and a stride would meet one kind.
    drawn = np.random.default_rng(seed).choice(openings, min(questions, len(openings)), replace=False)
    drawn_positions = set(drawn.tolist())
    for position, change in enumerate(changes):
        if position in drawn_positions and change.user in activity.visitors and change.item is not None:
            visitor, key = activity.visitors[change.user], activity.keys.get(change.item, -1)
            # What somebody has opened before is no candidate.
            if key in visitor.seen or not activity.find_consent(change.user).is_granted:
                fold_change(change, [activity.observe], quarantine, "publishing")
                continue
            row = index.user_rows.get(change.user) if index else None
            context = RankingContext(
                change.at,
                activity.find_visit(change.session, change.user, change.at),
                visitor,
                scorer.fold_in_recent(visitor),
                join.segment_of(row),
                excluded=visitor.seen | visitor.rejected,
            )
            keys = gather_candidates(context, scorer, trending).keys
            opened = int(np.searchsorted(keys, key))
            if opened < len(keys) and keys[opened] == key:
                yield RankingExample(feature_builder.build(context, keys, scorer), opened)
            else:
                yield None
        fold_change(change, [activity.observe], quarantine, "publishing")


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
