"""Team-draft interleaving: two rankers in one list, the clicks decide (Radlinski, Kurup and Joachims 2008)."""

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
    """A drafted list; `teams` says for each place whose pick it was: 0 for ranker A, 1 for ranker B."""

    items: tuple[Hashable, ...]
    teams: tuple[int, ...]


@dataclass(frozen=True)
class RankerPreference:
    """Mean of the users' preference for B over A, in [-1, 1], with a 95 % interval by users.

    wins_b, wins_a, ties count users; sign_p is the sign test over the users without a tie.
    """

    value: float
    low: float
    high: float
    wins_b: int
    wins_a: int
    ties: int
    sign_p: float


def interleave_team_draft(
    ranking_a: Sequence[Item], ranking_b: Sequence[Item], k: int, rng: np.random.Generator
) -> InterleavedList:
    """Draft k items: the team with fewer picks picks next, a coin decides ties; each takes its best item still
    left.

    When one ranking is used up, the other goes on alone. An item stands in the list once.
    """
    queues = (list(ranking_a), list(ranking_b))
    places = [0, 0]
    picks = [0, 0]
    taken: set[Hashable] = set()
    items: list[Hashable] = []
    teams: list[int] = []
    while len(items) < k:
        for team in (0, 1):
            while places[team] < len(queues[team]) and queues[team][places[team]] in taken:
                places[team] += 1
        able = [team for team in (0, 1) if places[team] < len(queues[team])]
        if not able:
            break
        if len(able) == 1:
            team = able[0]
        elif picks[0] != picks[1]:
            team = int(picks[1] < picks[0])
        else:
            team = int(rng.integers(2))
        item = queues[team][places[team]]
        taken.add(item)
        items.append(item)
        teams.append(team)
        picks[team] += 1
    return InterleavedList(tuple(items), tuple(teams))


def measure_preference(users: I64, clicks_a: F64, clicks_b: F64, alpha: float = 0.05) -> RankerPreference:
    """Compare the teams' clicks of interleaved lists; each array has one entry a list, shape (n_lists,).

    A list prefers the team with more clicks (1 for B, -1 for A, 0 for a tie or no click); a user's preference is
    the mean over the user's lists, so that heavy users do not decide alone. Lists without a click count as ties.
    """
    votes = np.sign(clicks_b - clicks_a).astype(np.float64)
    _, index = np.unique(users, return_inverse=True)
    by_user = np.bincount(index, weights=votes) / np.bincount(index)
    n = len(by_user)
    wins_b, wins_a = int(np.count_nonzero(by_user > 0)), int(np.count_nonzero(by_user < 0))
    value = float(by_user.mean()) if n else nan
    width = nan
    if n > 1:
        width = float(student.ppf(1 - alpha / 2, n - 1)) * float(by_user.std(ddof=1)) / sqrt(n)
    decided = wins_a + wins_b
    sign_p = float(binomtest(wins_b, decided).pvalue) if decided else 1.0
    return RankerPreference(value, value - width, value + width, wins_b, wins_a, n - decided, sign_p)
