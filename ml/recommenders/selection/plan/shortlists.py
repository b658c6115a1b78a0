"""Shortlists: the items that several fitted models rank highest together, with what each of them says of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.arrays import F64, I32, I64, Bools
from ml.evaluation.accuracy import graded_ndcg, largest_of_rows
from ml.evaluation.auc import user_auc
from ml.recommenders.base import Recommender
from ml.recommenders.models.blends import standardised
from ml.recommenders.topk import select_top_k
from ml.recommenders.validation import ValidationWindow

LENGTH = 200  # items a judge; the first ten of a blend lie among them
MOST_CELLS = 12_000_000  # judges × items × models in memory where whole rankings are judged
BLOCK_CELLS = 4_000_000  # judges × items that are scored at a time


@dataclass(frozen=True)
class Shortlists:
    """Scores of models, standardised over all ranked items of a judge.

    Attributes:
        users: int32 (n,), rows of the judges.
        columns: int64 (n, c), rows of the items, ascending.
        scores: float64 (models, n, c).
        is_allowed: bool (n, c), false for items that the judge has in training.
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

    def of_models(self, places: Sequence[int]) -> Shortlists:
        """The same lists with the scores of some of the models."""
        return replace(self, scores=self.scores[list(places)])

    @classmethod
    def of(cls, models: Sequence[Recommender], window: ValidationWindow) -> Shortlists:
        """Score the judges of a window; strangers, of whom no model knows anything, are left out."""
        judging = np.flatnonzero(np.diff(window.had.indptr) > 0)
        n_items = window.relevant.shape[1]
        ranked = np.arange(n_items) if window.columns is None else window.columns
        length = min(LENGTH, len(ranked)) if window.columns is None else len(ranked)
        most = max(50, MOST_CELLS // (length * len(models)))
        if len(judging) > most:
            judging = judging[np.linspace(0, len(judging) - 1, most).astype(np.int64)]
        parts = []
        step = max(1, BLOCK_CELLS // (len(ranked) * len(models)))
        for start in range(0, len(judging), step):
            judges = judging[start : start + step]
            users = window.users[judges]
            # In double precision the order of a model's scores stays as it is, and equal scores stay equal.
            scores = np.stack([standardised(model.score(users)[:, ranked].astype(np.float64)) for model in models])
            allowed = np.asarray(window.had[judges].todense())[:, ranked] == 0
            gains = np.asarray(window.relevant[judges].todense(), dtype=np.float64)[:, ranked] * allowed
            mean = np.where(allowed, scores.mean(axis=0), -np.inf)
            if length < len(ranked):
                places = np.sort(select_top_k(mean, length)[0], axis=1)
            else:
                places = np.repeat(np.arange(length)[None, :], len(judges), axis=0)
            parts.append(
                (
                    ranked[places],
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
        k = window.k if window.columns is None else None
        return cls(window.users[judging], columns, scores, allowed, gains, ideal, k)
