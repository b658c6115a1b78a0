"""Learns the blend by interleaving the log: before each opening, rank; then see what was opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ml.decisions.activity import OPENINGS, Activity, ActivityLimits, Change
from ml.decisions.blend import Blend
from ml.decisions.candidates import Trending, gather
from ml.decisions.features import NAMES, Features, Matrix, Question
from ml.decisions.linked import Linked
from ml.decisions.nearest import Nearest
from ml.decisions.personal import Personal
from ml.decisions.shelf import Shelf

PERSONAL = 50
APPROXIMATE_ABOVE = 50_000
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
}


@dataclass(frozen=True)
class Questions:
    """What was asked of the log.

    Attributes:
        rows: float32 (total candidates, features).
        opened: bool (total candidates,), true for the candidate that was opened.
        sizes: int64 (questions,), candidates of each.
        missed: questions whose item was no candidate; they are counted and not kept.
    """

    rows: Matrix
    opened: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    missed: int


def train_blend(
    changes: Sequence[Change],
    shelf: Shelf | None,
    *,
    questions: int,
    minimum_questions: int,
    seed: int,
    threads: int = 2,
) -> Blend:
    """Learn from the newest openings of the log.

    Args:
        changes: events, oldest first; the first third only fills the memory.
        shelf: the items' facts; None where there are none.
        questions: openings to ask about at most, drawn from the rest.
        seed: of the draw and of the trees.
        minimum_questions: below so many the prior weights are kept: trees on little are noise.
    """
    asked = interleave(changes, shelf, questions, seed)
    total = len(asked.sizes)
    if total < minimum_questions:
        blend = Blend.prior()
        blend.figures = {"questions": total, "learned": False}
        return blend
    held = max(1, total // 10)
    split = int(asked.sizes[:-held].sum())
    ranker = fit_ranker(asked.rows[:split], asked.opened[:split], asked.sizes[:-held], seed=seed, threads=threads)
    held_rows, held_opened = asked.rows[split:], asked.opened[split:]
    scores = np.asarray(ranker.predict(held_rows), dtype=np.float64)
    prior = Blend.prior().base(held_rows)
    blend = Blend(
        ranker=ranker,
        means=asked.rows[:split].mean(axis=0, dtype=np.float64),
        deviations=asked.rows[:split].std(axis=0, dtype=np.float64) + 1e-6,
        scale=calibrated_scale(scores, held_opened, asked.sizes[-held:]),
        figures={
            "learned": True,
            "questions": total,
            "missed_share": round(asked.missed / (asked.missed + total), 4),
            "hit_rate_at_5": hit_rate(scores, held_opened, asked.sizes[-held:], 5),
            "hit_rate_at_5_of_prior": hit_rate(prior, held_opened, asked.sizes[-held:], 5),
        },
    )
    return blend


def fit_ranker(
    rows: Matrix, opened: npt.NDArray[np.bool_], sizes: npt.NDArray[np.int64], *, seed: int, threads: int
) -> lgb.Booster:
    """The trees, learned from questions as `Questions` holds them."""
    ranker = lgb.LGBMRanker(**TREES, random_state=seed, n_jobs=threads)
    return ranker.fit(rows, opened, group=sizes).booster_


def interleave(changes: Sequence[Change], shelf: Shelf | None, questions: int, seed: int) -> Questions:
    """Feed the log to an activity and ask, before some openings, what the candidates look like."""
    activity, linked = Activity(ActivityLimits()), Linked(shelf)
    for _ in linked.link(activity):
        pass
    factors = shelf.bundle.item_factors if shelf else None
    # the people's own vectors were learned from the very openings that are asked about: only what they did before
    # the question may speak for them
    personal = Personal(linked, None if factors is None else Nearest(factors, APPROXIMATE_ABOVE), PERSONAL)
    features, trending = Features(activity), Trending(activity)
    openings = _asked_openings(changes)
    # drawn, not every n-th: people's first and second openings alternate, and a stride would meet one kind alone
    drawn = np.random.default_rng(seed).choice(openings, min(questions, len(openings)), replace=False)
    asked = set(drawn.tolist())
    rows, opened, sizes, missed = [], [], [], 0
    for place, change in enumerate(changes):
        if place in asked and change.user in activity.visitors and change.item is not None:
            visitor = activity.visitors[change.user]
            visit = activity.visit(change.session, change.user, change.at)
            row = shelf.user_rows.get(change.user) if shelf else None
            question = Question(change.at, visit, visitor, personal.folded(visitor), linked.segment(row))
            excluded = visitor.seen | visitor.rejected
            keys = gather(question, personal, trending, None, excluded).keys
            is_opened = keys == activity.keys.get(change.item, -1)
            if is_opened.any():
                rows.append(features.rows(question, keys, personal))
                opened.append(is_opened)
                sizes.append(len(keys))
            elif activity.keys.get(change.item, -1) not in visitor.seen:
                missed += 1
        activity.observe(change)
    if not rows:
        return Questions(np.zeros((0, len(NAMES)), np.float32), np.zeros(0, bool), np.zeros(0, np.int64), missed)
    return Questions(np.vstack(rows), np.concatenate(opened), np.array(sizes), missed)


def asked_from(changes: Sequence[Change]) -> float | None:
    """Time of the first opening that `interleave` asks about, Unix seconds; None without openings."""
    openings = _asked_openings(changes)
    return changes[openings[0]].at if openings else None


def _asked_openings(changes: Sequence[Change]) -> list[int]:
    """Places of the openings that may be asked about."""
    openings = [place for place, change in enumerate(changes) if change.event_type in OPENINGS and change.item]
    return openings[int(FILLING_SHARE * len(openings)) :]


def calibrated_scale(
    scores: npt.NDArray[np.float64], opened: npt.NDArray[np.bool_], sizes: npt.NDArray[np.int64]
) -> float:
    """What scores are divided by, so that their softmax over a question's candidates tells chances best."""
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    question = np.repeat(np.arange(len(sizes)), sizes)
    spread = max(float(scores.std()), 1e-6)

    def surprise(scale: float) -> float:
        logits = scores / scale
        logits -= np.maximum.reduceat(logits, starts)[question]
        totals = np.add.reduceat(np.exp(logits), starts)
        return float((np.log(totals) - logits[opened]).mean())

    return min((spread / sharpness for sharpness in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)), key=surprise)


def hit_rate(
    scores: npt.NDArray[np.float64], opened: npt.NDArray[np.bool_], sizes: npt.NDArray[np.int64], k: int
) -> float:
    """Share of questions whose opened item is among the k best; chance orders the candidates that tie with it."""
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    own = np.repeat(np.add.reduceat(np.where(opened, scores, 0.0), starts), sizes)
    better = np.add.reduceat((scores > own).astype(np.int64), starts)
    tied = np.add.reduceat((scores == own).astype(np.int64), starts)
    return round(float(np.clip((k - better) / tied, 0.0, 1.0).mean()), 4)
