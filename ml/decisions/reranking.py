"""From scores to a list: variety of categories, a share of exploration, and what both do to propensities."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Placed:
    """One item of a list; `propensity` is the probability that the policy puts it at this place."""

    key: int
    score: float
    propensity: float
    is_exploration: bool = False


def varied(
    ranked: Sequence[tuple[int, float]], k: int, category: Callable[[int], str | None], max_share: float
) -> list[tuple[int, float]]:
    """The best k of (key, score), best first, where one category fills at most its share.

    A category beyond its share waits until nothing else is left; items without a category are never held back.
    """
    limit = max(1, round(max_share * k))
    counts: dict[str, int] = {}
    chosen: list[tuple[int, float]] = []
    waiting: list[tuple[int, float]] = []
    for entry in ranked:
        if len(chosen) == k:
            break
        name = category(entry[0])
        if name is not None and counts.get(name, 0) >= limit:
            waiting.append(entry)
            continue
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
        chosen.append(entry)
    return [*chosen, *waiting][:k]


def explored(
    chosen: Sequence[tuple[int, float]], pool: Sequence[int], share: float, chance: random.Random
) -> list[Placed]:
    """Give the last place to an item of `pool` with probability `share`; the others keep theirs.

    Args:
        chosen: (key, score), best first.
        pool: rarely opened items that could be shown; those already chosen don't count.
        share: probability of exploring.
    """
    taken = {key for key, _ in chosen}
    open_pool = sorted(set(pool) - taken)
    if not open_pool or not chosen or share <= 0:
        return [Placed(key, score, 1.0) for key, score in chosen]
    placed = [Placed(key, score, 1.0) for key, score in chosen[:-1]]
    last_key, last_score = chosen[-1]
    if chance.random() < share:
        return [*placed, Placed(chance.choice(open_pool), last_score, share / len(open_pool), is_exploration=True)]
    return [*placed, Placed(last_key, last_score, 1.0 - share)]
