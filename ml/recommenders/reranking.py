"""Reranking: pure functions from candidate lists to better composed ones, for service and evaluation alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.accuracy import ndcg
from ml.evaluation.beyond_accuracy import intra_list_diversity

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RankedList:
    """Items of one user, best first: rows int32 (n,), scores float32 (n,)."""

    rows: Rows
    scores: Floats

    def take(self, places: npt.NDArray[Any] | Sequence[int]) -> RankedList:
        """The entries at these places, in their order."""
        chosen = np.asarray(places, dtype=np.int64)
        return RankedList(self.rows[chosen], self.scores[chosen])

    def __len__(self) -> int:
        return len(self.rows)


def diversified(candidates: RankedList, item_vectors: npt.NDArray[Any], k: int, trade_off: float) -> RankedList:
    """Maximal marginal relevance (Carbonell, Goldstein 1998).

    Args:
        item_vectors: (n_items, d); similarity is their cosine.
        trade_off: 0 keeps the order, 1 looks at dissimilarity alone.

    Raises:
        ValueError: the trade-off is outside 0 to 1.
    """
    if not 0 <= trade_off <= 1:
        raise ValueError(f"trade_off {trade_off}: it lies between 0 and 1")
    relevance = _scaled(candidates.scores)
    vectors = item_vectors[candidates.rows].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(lengths > 0, lengths, 1)
    nearest = np.zeros(len(candidates))
    open_ = np.ones(len(candidates), bool)
    chosen: list[int] = []
    while len(chosen) < min(k, len(candidates)):
        gain = np.where(open_, (1 - trade_off) * relevance - trade_off * nearest, -np.inf)
        best = int(gain.argmax())
        chosen.append(best)
        open_[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return candidates.take(chosen)


def calibrated(
    candidates: RankedList,
    item_topics: npt.NDArray[Any],
    interests: npt.NDArray[Any],
    k: int,
    strength: float,
) -> RankedList:
    """Greedy list whose topics have the shares of the user's interests (Steck 2018).

    Args:
        item_topics: (n_items, n_topics), shares of each topic in an item.
        interests: (n_topics,), shares that sum to 1.
        strength: 0 keeps the order, 1 looks at the shares alone.
    """
    relevance = _scaled(candidates.scores)
    topics = item_topics[candidates.rows].astype(np.float64)
    total = np.zeros(topics.shape[1])
    gathered = 0.0
    open_ = np.ones(len(candidates), bool)
    chosen: list[int] = []
    for place in range(min(k, len(candidates))):
        shares = (total + topics) / (place + 1)
        mixed = 0.99 * shares + 0.01 * interests
        with np.errstate(divide="ignore", invalid="ignore"):
            divergence = np.where(interests > 0, interests * np.log(interests / mixed), 0).sum(axis=1)
        gain = (1 - strength) * (gathered + relevance) / (place + 1) - strength * divergence
        best = int(np.where(open_, gain, -np.inf).argmax())
        chosen.append(best)
        open_[best] = False
        total, gathered = total + topics[best], gathered + relevance[best]
    return candidates.take(chosen)


def with_quotas(
    candidates: RankedList,
    categories: Sequence[str | None],
    k: int,
    largest_share: Mapping[str, float],
    other: float = 1.0,
) -> RankedList:
    """No category takes more than its share of the k places; the list gets shorter if nothing else is left.

    Args:
        categories: category of each item of the catalogue, by row.
        largest_share: by category; `other` holds for the rest.
    """
    used: dict[str | None, int] = {}
    chosen = []
    for place, row in enumerate(candidates.rows):
        category = categories[row]
        allowed = int(np.floor(largest_share.get(category or "", other) * k + 1e-9))
        if used.get(category, 0) < allowed:
            used[category] = used.get(category, 0) + 1
            chosen.append(place)
        if len(chosen) == k:
            break
    return candidates.take(chosen)


def with_exploration(
    candidates: RankedList, new_items: Rows, k: int, share: float, generator: np.random.Generator
) -> tuple[RankedList, npt.NDArray[np.float64]]:
    """Give a share of the k places to items that nobody knows well yet.

    Args:
        new_items: rows that may be explored, each as likely as the others.

    Returns:
        The list, an explored item with the score of the place before it, and the propensity of each place: the
        probability that this item stood in the list, 1 for those that were not drawn.
    """
    kept = candidates.take(np.flatnonzero(~np.isin(candidates.rows, new_items)))
    pool = np.unique(new_items)
    n_new = min(int(generator.binomial(k, share)), len(pool))
    best = kept.take(range(min(k - n_new, len(kept))))
    drawn = generator.choice(pool, n_new, replace=False).astype(np.int32) if n_new else np.array([], np.int32)
    places = (
        np.sort(generator.choice(len(best) + n_new, n_new, replace=False)) if n_new else np.array([], np.int64)
    )
    rows = np.empty(len(best) + n_new, np.int32)
    scores, propensity = np.empty(len(rows), np.float32), np.ones(len(rows))
    explored = np.zeros(len(rows), bool)
    explored[places] = True
    rows[explored], rows[~explored] = drawn, best.rows
    scores[~explored] = best.scores
    floor = float(best.scores.min()) if len(best) else 0.0
    for place in np.flatnonzero(explored):
        scores[place] = scores[place - 1] if place else max(floor, float(best.scores.max()) if len(best) else 0.0)
    propensity[explored] = min(1.0, k * share / max(1, len(pool)))
    return RankedList(rows, scores), propensity


@dataclass(frozen=True)
class BusinessRules:
    """What the business wants of every list.

    Attributes:
        include: rows that come first, in this order.
        exclude: rows that never come.
        boost: factor on the scaled score (0 to 1) by row; above 1 lifts.
        expires_at: Unix seconds by row; from then on the item never comes.
    """

    include: tuple[int, ...] = ()
    exclude: frozenset[int] = frozenset()
    boost: Mapping[int, float] | None = None
    expires_at: Mapping[int, float] | None = None


def with_rules(candidates: RankedList, rules: BusinessRules, now: float) -> RankedList:
    """Apply the rules at a time (Unix seconds). An item that is excluded or expired is not included either."""
    expired = {row for row, at in (rules.expires_at or {}).items() if at <= now}
    barred = rules.exclude | expired
    kept = candidates.take([place for place, row in enumerate(candidates.rows) if int(row) not in barred])
    factors = np.array([(rules.boost or {}).get(int(row), 1.0) for row in kept.rows])
    order = np.argsort(-_scaled(kept.scores) * factors, kind="stable") if rules.boost else np.arange(len(kept))
    kept = kept.take(order)
    first = [row for row in rules.include if row not in barred]
    rest = kept.take([place for place, row in enumerate(kept.rows) if int(row) not in first])
    top = float(candidates.scores.max()) if len(candidates) else 0.0
    return RankedList(
        np.concatenate([np.array(first, np.int32), rest.rows]),
        np.concatenate([np.full(len(first), top, np.float32), rest.scores]),
    )


def capped(candidates: RankedList, shown: Mapping[int, int], most: int) -> RankedList:
    """Without the items that the user was shown `most` times or more; `shown` counts impressions by row."""
    return candidates.take([place for place, row in enumerate(candidates.rows) if shown.get(int(row), 0) < most])


def diversity_curve(
    lists: Sequence[RankedList],
    relevant: Sequence[frozenset[int]],
    item_vectors: npt.NDArray[Any],
    k: int,
    trade_offs: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0),
) -> list[tuple[float, float, float]]:
    """What diversity costs: (trade-off, mean NDCG@k, mean intra-list diversity) for each trade-off."""
    points = []
    for trade_off in trade_offs:
        rows = np.full((len(lists), k), -1, np.int32)
        for user, candidates in enumerate(lists):
            own = diversified(candidates, item_vectors, k, trade_off).rows
            rows[user, : len(own)] = own
        hits = np.array(
            [[row in wanted for row in own] for own, wanted in zip(rows.tolist(), relevant, strict=True)]
        )
        n_relevant = np.array([len(wanted) for wanted in relevant])
        diversity = intra_list_diversity(rows, item_vectors.astype(np.float64))
        points.append((trade_off, float(np.nanmean(ndcg(hits, n_relevant))), float(np.nanmean(diversity))))
    return points


def _scaled(scores: Floats) -> npt.NDArray[np.float64]:
    """Scores between 0 and 1; equal ones are 1."""
    if not len(scores):
        return np.zeros(0)
    low, high = float(scores.min()), float(scores.max())
    return np.ones(len(scores)) if high == low else (scores.astype(np.float64) - low) / (high - low)
