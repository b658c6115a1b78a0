"""Team-draft interleaving: two rankers share a list and clicks decide (Radlinski, Kurup and Joachims 2008)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import TypeVar

import numpy as np
from scipy.stats import binomtest
from scipy.stats import t as student

from ml.arrays import F64, I64

Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True)
class InterleavedList:
    """A drafted list.

    Attributes:
        items: the items.
        teams: the ranker that picked each item: 0 for A, 1 for B.
    """

    items: tuple[Hashable, ...]
    teams: tuple[int, ...]


@dataclass(frozen=True)
class RankerPreference:
    """Mean preference of the users for B over A.

    Attributes:
        value: mean preference, in [-1, 1].
        low: lower bound of the interval over users.
        high: upper bound of that interval.
        wins_b: users who prefer B.
        wins_a: users who prefer A.
        ties: users who prefer neither.
        p_value: p-value of Student's test of the mean preference, to which the interval belongs.
        sign_p: p-value of the sign test over the users without a tie.
    """

    value: float
    low: float
    high: float
    wins_b: int
    wins_a: int
    ties: int
    p_value: float
    sign_p: float


def interleave_team_draft(
    ranking_a: Sequence[Item], ranking_b: Sequence[Item], k: int, rng: np.random.Generator
) -> InterleavedList:
    """Draft k items.

    The team with fewer picks picks next, and a coin decides ties. Each team takes its best remaining item. When a
    ranking is used up, the other continues alone. An item appears only once.
    """
    queues = (list(ranking_a), list(ranking_b))
    positions = [0, 0]
    picks = [0, 0]
    taken: set[Hashable] = set()
    items: list[Hashable] = []
    teams: list[int] = []
    while len(items) < k:
        for team in (0, 1):
            while positions[team] < len(queues[team]) and queues[team][positions[team]] in taken:
                positions[team] += 1
        available = [team for team in (0, 1) if positions[team] < len(queues[team])]
        if not available:
            break
        if len(available) == 1:
            team = available[0]
        elif picks[0] != picks[1]:
            team = int(picks[1] < picks[0])
        else:
            team = int(rng.integers(2))
        item = queues[team][positions[team]]
        taken.add(item)
        items.append(item)
        teams.append(team)
        picks[team] += 1
    return InterleavedList(tuple(items), tuple(teams))


def measure_preference(users: I64, clicks_a: F64, clicks_b: F64, alpha: float = 0.05) -> RankerPreference:
    """Compare the teams' clicks on interleaved lists.

    A list prefers the team with more clicks (1 for B, -1 for A, 0 for a tie or no click). A user's preference is
    the mean over the user's lists, so that heavy users do not dominate.

    Args:
        users: user of each list, (n_lists,).
        clicks_a: clicks on items of A, (n_lists,).
        clicks_b: clicks on items of B, (n_lists,).
        alpha: 1 minus the level of the interval.
    """
    votes = np.sign(clicks_b - clicks_a).astype(np.float64)
    _, index = np.unique(users, return_inverse=True)
    by_user = np.bincount(index, weights=votes) / np.bincount(index)
    n = len(by_user)
    wins_b, wins_a = int(np.count_nonzero(by_user > 0)), int(np.count_nonzero(by_user < 0))
    value = float(by_user.mean()) if n else nan
    width = p_value = nan
    if n > 1:
        error = float(by_user.std(ddof=1)) / sqrt(n)
        width = float(student.ppf(1 - alpha / 2, n - 1)) * error
        # Without any spread, the interval is the value itself.
        p_value = 2 * float(student.sf(abs(value) / error, n - 1)) if error else float(value == 0)
    decided = wins_a + wins_b
    sign_p = float(binomtest(wins_b, decided).pvalue) if decided else 1.0
    return RankerPreference(value, value - width, value + width, wins_b, wins_a, n - decided, p_value, sign_p)
