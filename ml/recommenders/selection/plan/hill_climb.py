"""Climbing: each family is searched along its axes, and the better half of the families is searched further."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.recommenders.base import Recommender
from ml.recommenders.selection.plan.families import Family
from ml.recommenders.selection.plan.recipes import SingleRecipe
from ml.recommenders.selection.plan.trials import Trial, TrialRunner

LAST_FAMILIES = 2  # so many are searched to the end
WITHIN_REACH = 0.5  # of the best start, for a family to be searched at all
DEAR = 0.3  # share of the work that is left above which one trial is not worth it

Proposals = Generator[SingleRecipe, float, None]


def proposals(family: Family) -> Proposals:
    """Yield what to try next; what is sent back is its value, -inf where it could not be tried.

    One axis after the other is followed as long as each step is better, until a whole round brings nothing.
    """
    best, highest = family.starts[0], float("-inf")
    tried: list[SingleRecipe] = []
    for start in family.starts:
        value = yield start
        tried.append(start)
        if value > highest:
            best, highest = start, value
    is_better = highest > float("-inf")
    while is_better:
        is_better = False
        for axis in family.axes:
            if axis.name not in {**best.params, **best.scaled}:
                continue  # popularity has no half-life
            for way in axis.neighbours(best.value(axis.name)):
                went = False
                for other in way:
                    recipe = best.with_value(axis.name, other)
                    if recipe in tried:
                        break
                    value = yield recipe
                    tried.append(recipe)
                    if value <= highest:
                        break
                    best, highest, went, is_better = recipe, value, True, True
                if went:
                    break  # the other way lies behind


@dataclass
class Climb:
    """How far the search of a family has come.

    Attributes:
        family: what is searched.
        best: the best trial so far, with its recipe and the fitted model.
        not_tried: recipes that were too dear.
    """

    family: Family
    best: tuple[Trial, SingleRecipe, Recommender] | None = None
    not_tried: list[SingleRecipe] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._proposals = proposals(self.family)
        self._next: SingleRecipe | None = next(self._proposals)
        self._starts_left = len(self.family.starts)

    @property
    def value(self) -> float:
        """Mean of the best trial; -inf before there is one."""
        return float("-inf") if self.best is None else self.best[0].value

    @property
    def is_at_start(self) -> bool:
        """Whether a start of the family is the next to be tried."""
        return self._next is not None and self._starts_left > 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to try."""
        return self._next is None

    def step(self, runner: TrialRunner, allowance: float) -> float:
        """Try the next recipe, unless it costs more than the allowance; returns the work that it took."""
        assert self._next is not None
        recipe, work = self._next, runner.work(self._next)
        value = float("-inf")
        if work > allowance:
            self.not_tried.append(recipe)
            work = 0.0
        elif (result := runner.run(recipe, self.family.name)) is not None:
            value = result[0].value
            if value > self.value:
                self.best = (result[0], recipe, result[1])
        self._starts_left -= 1
        try:
            self._next = self._proposals.send(value)
        except StopIteration:
            self._next = None
        return work


def climb_all(
    families: Sequence[Family], runner: TrialRunner, budget: float, log: Callable[[str], None]
) -> list[Climb]:
    """Try every family's starts, the cheapest first, then search the better half along its axes, and again.

    Every round takes an equal part of the work, and every family an equal part of the round.

    Args:
        families: what is searched; none is left out because another one came before it.
        runner: fits and judges.
        budget: units of work; a recipe that would take too large a part of what is left is not tried.
        log: Receives what was not tried.

    Returns:
        The families that have a trial, best first.
    """
    climbs = [Climb(family) for family in families]
    left = budget
    for climb in sorted(climbs, key=lambda climb: runner.work(climb.family.starts[0])):
        while climb.is_at_start:
            left -= climb.step(runner, left * DEAR)
    kept = [climb for climb in _ranked(climbs) if climb.value >= WITHIN_REACH * _ranked(climbs)[0].value]
    rounds = max(1, int(np.ceil(np.log2(max(1, len(kept)) / LAST_FAMILIES))) + 1)
    for number in range(rounds):
        ends = left / (rounds - number)  # what this round may take
        for place, climb in enumerate(kept):
            share = ends / (len(kept) - place)
            while not climb.is_done and share > 0:
                work = climb.step(runner, left * DEAR)
                share, ends, left = share - work, ends - work, left - work
        kept = _ranked(kept)[: max(LAST_FAMILIES, -(-len(kept) // 2))]
    for climb in climbs:
        for recipe in climb.not_tried:
            work = runner.work(recipe)
            log(f"not tried, since it is {work:.0f} of {budget:.0f} units of work: {recipe.model} {recipe.params}")
    return _ranked(climbs)


def _ranked(climbs: Sequence[Climb]) -> list[Climb]:
    return sorted((climb for climb in climbs if climb.best is not None), key=lambda climb: -climb.value)
