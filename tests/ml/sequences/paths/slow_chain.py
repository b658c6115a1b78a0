"""The same chains in another way: dictionaries of tuples, recursion, and matrices that are solved one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

Path = tuple[str, ...]
CONVERTED, LEFT, START = "(converted)", "(left)", "(start)"


def with_ends(paths: list[Path], converted: list[bool]) -> list[Path]:
    return [(START, *path, CONVERTED if done else LEFT) for path, done in zip(paths, converted, strict=True)]


def contexts_before(whole: Path, place: int, order: int) -> list[Path]:
    """The contexts before a move, from the empty one to the longest; the start makes none longer."""
    before = whole[:place]
    return [before[len(before) - length :] for length in range(min(order, len(before)) + 1)]


class SlowChain:
    """Interpolated Witten-Bell for the kind of a move, interpolated Kneser-Ney for its target."""

    def __init__(self, paths: list[Path], converted: list[bool], order: int, states: list[str]) -> None:
        self.order, self.states = order, states
        self.kinds: dict[Path, Counter[str]] = defaultdict(Counter)
        raw: dict[Path, Counter[str]] = defaultdict(Counter)
        for whole in with_ends(paths, converted):
            for place in range(1, len(whole)):
                came = whole[place]
                for context in self.padded(whole, place):
                    self.kinds[context][came if came in (CONVERTED, LEFT) else "on"] += 1
                    if came not in (CONVERTED, LEFT):
                        raw[context][came] += 1
        self.targets = {context: counts for context, counts in raw.items() if self.length(context) == order}
        for length in range(order - 1, -1, -1):
            for context in [one for one in raw if self.length(one) == length]:
                distinct: Counter[str] = Counter()
                for longer, counts in list(self.targets.items()):
                    if self.length(longer) == length + 1 and self.shorter(longer) == context:
                        distinct.update({target: 1 for target, count in counts.items() if count})
                self.targets[context] = distinct
        self.discounts = {}
        for length in range(order + 1):
            numbers = [
                n for c, counts in self.targets.items() if self.length(c) == length for n in counts.values()
            ]
            once, twice = numbers.count(1), numbers.count(2)
            self.discounts[length] = once / (once + 2 * twice) if once else 0.5

    # A context that begins with the start is written once for each length that it could have.
    def padded(self, whole: Path, place: int) -> list[Path]:
        contexts = contexts_before(whole, place, self.order)
        while len(contexts) <= self.order:
            contexts.append((START, *contexts[-1]))
        return contexts

    def length(self, context: Path) -> int:
        return len(context)

    def shorter(self, context: Path) -> Path:
        return context[1:]

    def kind(self, kind: str, context: Path) -> float:
        below = self.kind(kind, self.shorter(context)) if context else 1 / 3
        counts = self.kinds.get(context)
        if not counts:
            return below
        return (counts[kind] + len(counts) * below) / (counts.total() + len(counts))

    def target(self, target: str, context: Path) -> float:
        below = self.target(target, self.shorter(context)) if context else 1 / len(self.states)
        counts = self.targets.get(context)
        if not counts:
            return below
        discount = self.discounts[self.length(context)]
        return (max(counts[target] - discount, 0) + discount * len(counts) * below) / counts.total()

    def score(self, path: Path, converted: bool) -> float:
        whole, total = with_ends([path], [converted])[0], 0.0
        for place in range(1, len(whole)):
            context, came = self.padded(whole, place)[-1], whole[place]
            if came in (CONVERTED, LEFT):
                total += np.log(self.kind(came, context))
            else:
                total += np.log(self.kind("on", context)) + np.log(self.target(came, context))
        return float(total)


def conversion_by_matrix(
    paths: list[Path], converted: list[bool], order: int, without: str | None = None
) -> float:
    """Chance to convert in the chain of observed shares; who would enter the state `without` leaves."""
    counts: dict[Path, Counter[Path]] = defaultdict(Counter)
    for whole in with_ends(paths, converted):
        contexts = [contexts_before(whole, place, order)[-1] for place in range(1, len(whole))]
        for context, following in pairwise([*contexts, (whole[-1],)]):
            counts[context][following] += 1
    nodes = list(counts)
    matrix, goal = np.eye(len(nodes)), np.zeros(len(nodes))
    for row, context in enumerate(nodes):
        total = counts[context].total()
        for following, number in counts[context].items():
            if following == (CONVERTED,):
                goal[row] += number / total
            elif following != (LEFT,) and following[-1] != without:
                matrix[row, nodes.index(following)] -= number / total
    return float(np.linalg.solve(matrix, goal)[nodes.index((START,))])
