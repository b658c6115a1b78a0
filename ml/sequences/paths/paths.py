"""Visits as sequences of states with one of two ends: converted, or left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64, Bools, Integers

OTHER = "other page"


@dataclass(frozen=True)
class Paths:
    """Paths through named states. The end of a path is no state.

    Attributes:
        states: Names of the states, (s,).
        codes: State of each step, path after path in the order of time, (t,).
        offsets: Where the steps of each path begin, and the number of all steps, (p + 1,). No path is empty.
        converted: Which paths reached the goal, (p,). The others left.
        people: Number of the person who took each path, (p,).
    """

    states: tuple[str, ...]
    codes: I64
    offsets: I64
    converted: Bools
    people: I64

    def __len__(self) -> int:
        return len(self.converted)

    @property
    def lengths(self) -> I64:
        """Number of steps of each path, (p,)."""
        return np.diff(self.offsets)

    @property
    def path_of_step(self) -> I64:
        """Number of the path of each step, (t,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, chosen: Bools) -> Paths:
        """Return some of the paths, in their order; `chosen` is (p,)."""
        lengths = self.lengths[chosen]
        return Paths(
            self.states,
            self.codes[np.repeat(chosen, self.lengths)],
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            self.converted[chosen],
            self.people[chosen],
        )

    def count_paths(self) -> I64:
        """Return how many paths pass through each state, (s,)."""
        return np.bincount(self._distinct(self.path_of_step), minlength=len(self.states)).astype(np.int64)

    def count_people(self) -> I64:
        """Return how many people have a path through each state, (s,)."""
        people = self.people[self.path_of_step]
        return np.bincount(self._distinct(people), minlength=len(self.states)).astype(np.int64)

    def _distinct(self, owners: I64) -> I64:
        """Return the states of the distinct pairs of owner (t,) and state."""
        base = max(len(self.states), 1)
        pairs = np.sort(owners * base + self.codes)
        return pairs[np.diff(pairs, prepend=-1) > 0] % base


def merge_rare_states(paths: Paths, others: Sequence[str], minimum_people: int, most: int) -> Paths:
    """Merge the states that few people saw, or that are beyond the `most` frequent ones.

    A state of which fewer than `minimum_people` are known would say something of single people.

    Args:
        paths: The paths.
        others: Name of the state into which each state (s,) goes if it is rare. It may be rare itself; it then
            goes to `OTHER`, and is kept there whatever the number of people.
        minimum_people: People from which a state stands for itself.
        most: The largest number of states that stand for themselves.

    Returns:
        The paths over the states that are left, in the order of their frequency.
    """
    people = paths.count_people()
    ranks = np.empty(len(people), dtype=np.int64)
    ranks[np.lexsort((np.arange(len(people)), -people))] = np.arange(len(people))
    merged = _keep(paths, (people >= minimum_people) & (ranks < most), others)
    return _keep(merged, merged.count_people() >= minimum_people, [OTHER] * len(merged.states))


def _keep(paths: Paths, kept: Bools, others: Sequence[str]) -> Paths:
    """Rename the states (s,) that are not kept."""
    return rename_states(
        paths, [name if keep else other for name, keep, other in zip(paths.states, kept, others, strict=True)]
    )


def rename_states(paths: Paths, names: Sequence[str]) -> Paths:
    """Give each state (s,) another name; states of one name become one, and unseen states go.

    Returns:
        The paths over the states in the order of their frequency, then of their names.
    """
    unique, codes = number_names(names)
    steps = codes[paths.codes] if len(paths.codes) else paths.codes
    counts = np.bincount(steps, minlength=len(unique))
    order = np.lexsort((np.arange(len(unique)), -counts))[: int((counts > 0).sum())]
    places = np.full(len(unique), -1, dtype=np.int64)
    places[order] = np.arange(len(order))
    return Paths(
        tuple(unique[place] for place in order), places[steps], paths.offsets, paths.converted, paths.people
    )


def build_paths(owners: Integers, names: Sequence[str], converted: Bools, people: I64) -> Paths:
    """Build paths from steps.

    Args:
        owners: Number of the path of each step, (t,), ascending; every number from 0 to p - 1 occurs.
        names: State of each step, (t,).
        converted: Which paths reached the goal, (p,).
        people: Number of the person who took each path, (p,).

    Raises:
        ValueError: A path has no step, or the steps are not in the order of their paths.
    """
    lengths = np.bincount(owners, minlength=len(converted)) if len(owners) else np.zeros(len(converted), np.int64)
    if len(lengths) != len(converted) or (lengths == 0).any() or (np.diff(owners) < 0).any():
        raise ValueError("each path needs at least one step, and steps stand in the order of their paths")
    states, codes = number_names(names)
    paths = Paths(
        states,
        codes,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.asarray(converted, dtype=bool),
        np.asarray(people, dtype=np.int64),
    )
    return rename_states(paths, paths.states)


def number_names(names: Sequence[str]) -> tuple[tuple[str, ...], I64]:
    """Return the different names in their order, and the place among them of each name, (n,)."""
    different = tuple(sorted(set(names)))
    place_of = {name: place for place, name in enumerate(different)}
    return different, np.array([place_of[name] for name in names], dtype=np.int64)


def weights_by_person(people: I64, random: np.random.Generator) -> F64:
    """Draw how often each path (p,) stands in a Poisson bootstrap over people, who keep all their paths."""
    draws = random.poisson(1.0, int(people.max(initial=-1)) + 1).astype(np.float64)
    return draws[people]
