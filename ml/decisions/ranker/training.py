"""Learns the blend by interleaving the log: before each opening, rank; then see what was opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import lightgbm as lgb
import numpy as np

from ml.arrays import F32, F64, I64, Bools
from ml.decisions.activity.activity import OPENINGS, Activity, ActivityLimits, Change
from ml.decisions.items.candidates import Trending, gather
from ml.decisions.items.linked import Linked
from ml.decisions.items.nearest import Nearest
from ml.decisions.items.personal import Personal
from ml.decisions.items.shelf import Shelf
from ml.decisions.ranker.blend import Blend
from ml.decisions.ranker.features import Features, Question
from ml.decisions.ranker.questions import AskedQuestion, QuestionLog, joined

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
}


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
    log, missed = QuestionLog(questions, max(1, int(HELD_SHARE * questions)), HELD_SHARE, seed), 0
    for question in interleave(changes, shelf, questions, seed):
        if question is None:
            missed += 1
        else:
            log.add(question)
    total = len(log)
    if total < minimum_questions:
        blend = Blend.prior()
        blend.figures = {"questions": total, "learned": False}
        return blend
    learned, held = log.split()
    rows, opened, sizes = joined(learned)
    ranker = fit_ranker(rows, opened, sizes, seed=seed, threads=threads)
    held_rows, held_opened, held_sizes = joined(held)
    scores = np.asarray(ranker.predict(held_rows), dtype=np.float64)
    prior = Blend.prior().base(held_rows)
    blend = Blend(
        ranker=ranker,
        means=rows.mean(axis=0, dtype=np.float64),
        deviations=rows.std(axis=0, dtype=np.float64) + 1e-6,
        scale=calibrated_scale(scores, held_opened, held_sizes),
        figures={
            "learned": True,
            "questions": total,
            "missed_share": round(missed / (missed + total), 4),
            "hit_rate_at_5": hit_rate(scores, held_opened, held_sizes, 5),
            "hit_rate_at_5_of_prior": hit_rate(prior, held_opened, held_sizes, 5),
        },
    )
    return blend


def fit_ranker(rows: F32, opened: Bools, sizes: I64, *, seed: int, threads: int) -> lgb.Booster:
    """The trees, learned from questions as `joined` gives them."""
    ranker = lgb.LGBMRanker(**TREES, random_state=seed, n_jobs=threads)
    return ranker.fit(rows, opened, group=sizes).booster_


def interleave(
    changes: Sequence[Change], shelf: Shelf | None, questions: int, seed: int
) -> Iterator[AskedQuestion | None]:
    """Feed the log to an activity and ask, before some openings, what the candidates look like.

    Yields the questions, oldest first; None for one whose item was no candidate.
    """
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
    for place, change in enumerate(changes):
        if place in asked and change.user in activity.visitors and change.item is not None:
            visitor = activity.visitors[change.user]
            visit = activity.visit(change.session, change.user, change.at)
            row = shelf.user_rows.get(change.user) if shelf else None
            question = Question(change.at, visit, visitor, personal.folded(visitor), linked.segment(row))
            excluded = visitor.seen | visitor.rejected
            keys = gather(question, personal, trending, None, excluded).keys
            key = activity.keys.get(change.item, -1)
            opened = int(np.searchsorted(keys, key))
            if opened < len(keys) and keys[opened] == key:
                yield AskedQuestion(features.rows(question, keys, personal), opened)
            elif key not in visitor.seen:
                yield None
        activity.observe(change)


def asked_from(changes: Sequence[Change]) -> float | None:
    """Time of the first opening that `interleave` asks about, Unix seconds; None without openings."""
    openings = _asked_openings(changes)
    return changes[openings[0]].at if openings else None


def _asked_openings(changes: Sequence[Change]) -> list[int]:
    """Places of the openings that may be asked about."""
    openings = [place for place, change in enumerate(changes) if change.event_type in OPENINGS and change.item]
    return openings[int(FILLING_SHARE * len(openings)) :]


def calibrated_scale(scores: F64, opened: Bools, sizes: I64) -> float:
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


def hit_rate(scores: F64, opened: Bools, sizes: I64, k: int) -> float:
    """Share of questions whose opened item is among the k best; chance orders the candidates that tie with it."""
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    own = np.repeat(np.add.reduceat(np.where(opened, scores, 0.0), starts), sizes)
    better = np.add.reduceat((scores > own).astype(np.int64), starts)
    tied = np.add.reduceat((scores == own).astype(np.int64), starts)
    return round(float(np.clip((k - better) / tied, 0.0, 1.0).mean()), 4)
