"""Shortlists: the items that several fitted models rank highest together, with what each of them says of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.arrays import F64, I32, I64, Bools
from ml.evaluation.accuracy import graded_ndcg, largest_of_rows
from ml.evaluation.auc import user_auc, user_log_places
from ml.recommenders.base import Recommender
from ml.recommenders.models.blends import standardised
from ml.recommenders.topk import select_top_k
from ml.recommenders.validation import ValidationWindow

LENGTH = 200  # items a judge; the first ten of a blend lie among them
MOST_CELLS = 12_000_000  # judges × items × models in memory where whole rankings are judged
# New items that stand for all of them: the AUC of one judge moves by less than .01, that of hundreds by far less.
DRAWN_ITEMS = 5_000
BLOCK_CELLS = 4_000_000  # judges × items that are scored at a time


@dataclass(frozen=True)
class Shortlists:
    """Scores of models, standardised over all ranked items of a judge.

    Attributes:
        users: int32 (n,), rows of the judges.
        columns: int64 (n, c), rows of the items, ascending; where whole rankings of very many items are judged,
            those of items that are drawn, and those of everything relevant.
        scores: float64 (models, n, c).
        is_allowed: bool (n, c), false for items that the judge has in training, and for those that are relevant
            to others and were not drawn.
        gains: float64 (n, c), gain of a hit; 0 where there is none or the judge has the item in training.
        ideal: float64 (n, k), the largest gains of each judge, those of items outside the lists included.
        k: length of the lists that are judged; None: whole rankings, by AUC.
    """

    users: I32
    columns: I64
    scores: F64
    is_allowed: Bools
    gains: F64
    ideal: F64
    k: int | None

    def judge(self, scores: F64, rows: I64 | slice = slice(None)) -> F64:
        """The window's metric for each judge of `rows` under combined scores (len(rows), c)."""
        allowed, gains = self.is_allowed[rows], self.gains[rows]
        if self.k is None:
            return user_auc(scores, gains > 0, allowed)
        best, _ = select_top_k(np.where(allowed, scores, -np.inf), self.k)
        listed = np.pad(np.take_along_axis(gains, best, 1), ((0, 0), (0, self.k - best.shape[1])))
        return graded_ndcg(listed, self.ideal[rows])

    def gain(self, scores: F64, rows: I64 | slice = slice(None)) -> F64:
        """What the weights of a blend are chosen by, for each judge of `rows`.

        It is the metric, but for whole rankings how far up relevant items stand on a log scale: the AUC hardly
        sees the first hundred of thousands of places, from which everything comes that is ever shown.
        """
        if self.k is None:
            return user_log_places(scores, self.gains[rows] > 0, self.is_allowed[rows])
        return self.judge(scores, rows)

    def highest(self, length: int) -> Shortlists:
        """The same lists with the `length` items of each judge that rank highest by the mean of the models."""
        if length >= self.columns.shape[1]:
            return self
        mean = np.where(self.is_allowed, self.scores.mean(axis=0), -np.inf)
        places = np.sort(select_top_k(mean, length)[0], axis=1)
        return replace(
            self,
            columns=np.take_along_axis(self.columns, places, 1),
            scores=np.take_along_axis(self.scores, places[None], 2),
            is_allowed=np.take_along_axis(self.is_allowed, places, 1),
            gains=np.take_along_axis(self.gains, places, 1),
        )

    def of_models(self, places: Sequence[int]) -> Shortlists:
        """The same lists with the scores of some of the models."""
        return replace(self, scores=self.scores[list(places)])

    @classmethod
    def of(cls, models: Sequence[Recommender], window: ValidationWindow) -> Shortlists:
        """Score the judges of a window; strangers, of whom no model knows anything, are left out."""
        judging = np.flatnonzero(np.diff(window.had.indptr) > 0)
        n_items = window.relevant.shape[1]
        ranked = np.arange(n_items) if window.columns is None else window.columns
        stays, is_drawn = _stand_ins(window, ranked)
        length = len(stays) if window.ranked == "new" else min(LENGTH, len(ranked))
        most = max(50, MOST_CELLS // (length * len(models)))
        if len(judging) > most:
            judging = judging[np.linspace(0, len(judging) - 1, most).astype(np.int64)]
        parts = []
        step = max(1, BLOCK_CELLS // (len(ranked) * len(models)))
        for start in range(0, len(judging), step):
            judges = judging[start : start + step]
            users = window.users[judges]
            # In double precision the order of a model's scores stays as it is, and equal scores stay equal.
            scores = np.stack(
                [standardised(model.score(users)[:, ranked].astype(np.float64))[:, stays] for model in models]
            )
            shown = ranked[stays]
            gains = np.asarray(window.relevant[judges].todense(), dtype=np.float64)[:, shown]
            allowed = np.asarray(window.had[judges].todense())[:, shown] == 0
            allowed &= is_drawn[stays] | (gains > 0)
            gains *= allowed
            mean = np.where(allowed, scores.mean(axis=0), -np.inf)
            if length < len(stays):
                places = np.sort(select_top_k(mean, length)[0], axis=1)
            else:
                places = np.repeat(np.arange(length)[None, :], len(judges), axis=0)
            parts.append(
                (
                    shown[places],
                    np.stack([np.take_along_axis(part, places, 1) for part in scores]),
                    np.take_along_axis(allowed, places, 1),
                    np.take_along_axis(gains, places, 1),
                )
            )
        columns, scores, allowed, gains = [
            np.concatenate(piece, axis=axis)
            for axis, piece in zip((0, 1, 0, 0), zip(*parts, strict=True), strict=True)
        ]
        ideal = largest_of_rows(window.relevant[judging], window.k)
        k = None if window.ranked == "new" else window.k
        return cls(window.users[judging], columns, scores, allowed, gains, ideal, k)


def _stand_ins(window: ValidationWindow, ranked: I64) -> tuple[I64, Bools]:
    """Places of the ranked items that stay in the lists, and which of the ranked items were drawn: bool (n,).

    All stay, unless whole rankings of more than `DRAWN_ITEMS` new items are judged.
    """
    n = len(ranked)
    is_drawn = np.ones(n, bool)
    if window.ranked != "new" or n <= DRAWN_ITEMS:
        return np.arange(n), is_drawn
    is_drawn[np.random.default_rng(0).permutation(n)[DRAWN_ITEMS:]] = False
    relevant = np.isin(ranked, window.relevant.indices)
    return np.flatnonzero(is_drawn | relevant), is_drawn
