"""Reranking: pure functions from candidate lists to better composed ones, for service and evaluation alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.arrays import F64
from ml.errors import InvalidInputError


@dataclass(frozen=True)
class RankedList:
    """Items of one user, best first: numbers of the items, integers (n,), and scores, floats (n,)."""

    rows: npt.NDArray[np.integer]
    scores: npt.NDArray[np.floating]

    def take(self, places: npt.NDArray[Any] | Sequence[int]) -> RankedList:
        """The entries at these places, in their order."""
        chosen = np.asarray(places, dtype=np.int64)
        return RankedList(self.rows[chosen], self.scores[chosen])

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class CandidateFeatures:
    """Features of candidates that the composition of a list uses, in the order of the candidates.

    Attributes:
        categories: Category of each candidate.
        vectors: floats (n, d); the similarity of two candidates is the cosine. None without diversification.
        topics: floats (n, n_topics), share of each topic in a candidate. None without calibration.
        interests: floats (n_topics,), share of each topic in the user's interests; they sum to 1.
    """

    categories: Sequence[str | None]
    vectors: npt.NDArray[Any] | None = None
    topics: npt.NDArray[Any] | None = None
    interests: npt.NDArray[Any] | None = None

    def take(self, places: Sequence[int]) -> CandidateFeatures:
        """Keep the candidates at these places."""
        return CandidateFeatures(
            [self.categories[place] for place in places],
            None if self.vectors is None else self.vectors[places],
            None if self.topics is None else self.topics[places],
            self.interests,
        )


def composed(
    candidates: RankedList,
    features: CandidateFeatures,
    k: int,
    *,
    trade_off: float,
    calibration: float,
    max_category_share: float,
) -> RankedList:
    """Compose the k items that are shown: close to the user's interests, diverse, and no category too often.

    Args:
        candidates: items with their scores, best first.
        features: vectors, topics and categories of the candidates, and the interests of the user.
        k: number of items to show.
        trade_off: of `diversified`, among what calibration left; needs vectors.
        calibration: strength of `calibrated`, which leaves twice k; needs topics and interests.
        max_category_share: of `with_quotas`.
    """
    if calibration > 0 and features.topics is not None and features.interests is not None:
        places = _close(candidates, features.topics, features.interests, 2 * k, calibration)
        candidates, features = candidates.take(places), features.take(places)
    if trade_off > 0 and features.vectors is not None:
        most = k if max_category_share >= 1 else len(candidates)  # a quota may ask for those further down
        places = _unlike(candidates, features.vectors, most, trade_off)
        candidates, features = candidates.take(places), features.take(places)
    return with_quotas(candidates, features.categories, k, {}, max_category_share, is_filled=True)


def diversified(candidates: RankedList, vectors: npt.NDArray[Any], k: int, trade_off: float) -> RankedList:
    """Maximal marginal relevance (Carbonell, Goldstein 1998).

    Args:
        candidates: items with their scores, best first.
        vectors: floats (n, d) of the candidates; likeness is their cosine.
        k: number of items to keep.
        trade_off: 0 keeps the order, 1 looks at dissimilarity alone.

    Raises:
        ValueError: the trade-off is outside 0 to 1.
    """
    return candidates.take(_unlike(candidates, vectors, k, trade_off))


def _unlike(candidates: RankedList, vectors: npt.NDArray[Any], k: int, trade_off: float) -> list[int]:
    if not 0 <= trade_off <= 1:
        raise InvalidInputError(f"trade_off {trade_off}: it lies between 0 and 1")
    relevance = _scaled(candidates.scores)
    vectors = vectors.astype(np.float64)
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
    return chosen


def calibrated(
    candidates: RankedList,
    topics: npt.NDArray[Any],
    interests: npt.NDArray[Any],
    k: int,
    strength: float,
) -> RankedList:
    """Greedy list whose topics have the shares of the user's interests (Steck 2018).

    Args:
        candidates: items with their scores, best first.
        topics: floats (n, n_topics) of the candidates, shares of each topic in an item.
        interests: (n_topics,), shares that sum to 1.
        k: number of items to keep.
        strength: 0 keeps the order, 1 looks at the shares alone.
    """
    return candidates.take(_close(candidates, topics, interests, k, strength))


def _close(
    candidates: RankedList, topics: npt.NDArray[Any], interests: npt.NDArray[Any], k: int, strength: float
) -> list[int]:
    relevance = _scaled(candidates.scores)
    topics = topics.astype(np.float64)
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
    return chosen


def with_quotas(
    candidates: RankedList,
    categories: Sequence[str | None],
    k: int,
    largest_share: Mapping[str, float],
    other: float = 1.0,
    *,
    is_filled: bool = False,
) -> RankedList:
    """No category takes more than its share of the k places; items without a category are never held back.

    Args:
        candidates: items with their scores, best first.
        categories: of the candidates.
        k: number of items to keep.
        largest_share: by category, of which at least one place; `other` holds for the rest.
        other: largest share of a category that `largest_share` does not name.
        is_filled: whether those beyond their share fill the places for which nothing else is left; else the list
            gets shorter.
    """
    used: dict[str, int] = {}
    chosen: list[int] = []
    waiting: list[int] = []
    for place, category in enumerate(categories):
        if len(chosen) == k:
            break
        if category is not None:
            if used.get(category, 0) >= max(1, round(largest_share.get(category, other) * k)):
                waiting.append(place)
                continue
            used[category] = used.get(category, 0) + 1
        chosen.append(place)
    return candidates.take([*chosen, *waiting][:k] if is_filled else chosen)


@dataclass(frozen=True)
class Placed:
    """One item of a list; `propensity` is the probability that the policy puts it at this place."""

    row: int
    score: float
    propensity: float = 1.0
    is_exploration: bool = False


def with_exploration(
    chosen: RankedList, new_items: Sequence[int], share: float, generator: np.random.Generator
) -> list[Placed]:
    """Give the last place to a new item with probability `share`; the other items keep their places.

    Args:
        chosen: The list that is shown.
        new_items: Items to explore, each equally likely; those that are chosen already are left out.
        share: Probability of exploring.
        generator: Source of randomness.
    """
    placed = [Placed(row, score) for row, score in zip(chosen.rows.tolist(), chosen.scores.tolist(), strict=True)]
    pool = sorted({int(item) for item in new_items} - {entry.row for entry in placed})
    if not pool or not placed or share <= 0:
        return placed
    last = placed[-1]
    if generator.random() < share:
        row = pool[int(generator.integers(len(pool)))]
        return [*placed[:-1], Placed(row, last.score, share / len(pool), is_exploration=True)]
    return [*placed[:-1], Placed(last.row, last.score, 1.0 - share)]


@dataclass(frozen=True)
class BusinessRules:
    """Rules of the business that hold for every list.

    Attributes:
        include: Rows that come first, in this order.
        exclude: Rows that are never recommended.
        boost: Addition to the score, by row.
        expires_at: Unix seconds from which an item is never recommended, by row.
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
    if rules.boost:
        boosted = kept.scores + np.array([rules.boost.get(int(row), 0.0) for row in kept.rows])
        kept = RankedList(kept.rows, boosted).take(np.argsort(-boosted, kind="stable"))
    first = [row for row in rules.include if row not in barred]
    if not first:
        return kept
    rest = kept.take([place for place, row in enumerate(kept.rows) if int(row) not in first])
    top = float(kept.scores.max()) if len(kept) else 0.0
    return RankedList(
        np.concatenate([np.array(first, kept.rows.dtype), rest.rows]),
        np.concatenate([np.full(len(first), top, kept.scores.dtype), rest.scores]),
    )


def capped(candidates: RankedList, shown: Mapping[int, int], most: int) -> RankedList:
    """Without the items that the user was shown `most` times or more; `shown` counts impressions by row."""
    return candidates.take([place for place, row in enumerate(candidates.rows) if shown.get(int(row), 0) < most])


def _scaled(scores: npt.NDArray[np.floating]) -> F64:
    """Scores between 0 and 1; equal ones are 1."""
    if not len(scores):
        return np.zeros(0)
    low, high = float(scores.min()), float(scores.max())
    return np.ones(len(scores)) if high == low else (scores.astype(np.float64) - low) / (high - low)
