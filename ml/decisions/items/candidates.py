"""Which items could be shown: what is popular now, what follows, what fits, what is new."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64, Bools
from ml.decisions.activity.activity import Activity
from ml.decisions.items.personal import Personal
from ml.decisions.ranker.features import Question

POPULAR_BY_PLACE = ((0, 25), (1, 50), (2, 40), (3, 40), (4, 20), (5, 40), (7, 40))
FOLLOWING = 40
OF_HISTORY = 15
OF_SCOPE = 30
SIMILAR = 20
NOTHING = np.zeros(0, dtype=np.int64)


class Trending:
    """The most popular items of an activity, found again when something was opened since.

    Time fades all weights of a half-life alike: who is ahead changes only through what was opened since the last
    look, so that only the last answer and those items are looked at.
    """

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self._version = -1
        self._best: list[I64] = []
        self._keys: I64 = NOTHING

    def keys(self) -> I64:
        """Most popular items at every half-life and among those opened within visits, best places first."""
        if self._version != self.activity.version:
            self._find()
            self._version = self.activity.version
        return self._keys

    def _find(self) -> None:
        opened = self.activity.opened_since(self._version)
        popular = self.activity.popular
        self._best = [
            popular.top(column, count, None if opened is None else np.union1d(self._best[number], opened))
            for number, (column, count) in enumerate(POPULAR_BY_PLACE)
        ]
        keys = np.concatenate(self._best)
        places = np.concatenate([np.arange(len(best)) for best in self._best])
        first = _first_of_each(keys, places)
        self._keys = keys[first][np.argsort(places[first], kind="stable")]


@dataclass(frozen=True)
class Candidates:
    """What could be shown.

    Attributes:
        keys: distinct item keys, int64 (n,), ascending; nothing that the person has seen or rejected.
        best: best place of each key in the list of any source, int64 (n,).
        sources: the source that has the key there, int64 (n,) places in `names`.
        names: of the sources, sorted.
    """

    keys: I64
    best: I64
    sources: I64
    names: tuple[str, ...]

    @classmethod
    def of(cls, lists: Mapping[str, Sequence[I64]], excluded: set[int]) -> Candidates:
        """Join the lists of all sources, best first each, and leave out what must not be shown."""
        names = tuple(sorted(lists))
        parts = [(number, part) for number, name in enumerate(names) for part in lists[name]]
        keys = np.concatenate([NOTHING, *(part for _, part in parts)])
        places = np.concatenate([NOTHING, *(np.arange(len(part)) for _, part in parts)])
        sources = np.repeat([number for number, _ in parts], [len(part) for _, part in parts]).astype(np.int64)
        kept = _first_of_each(keys, places, sources)
        if excluded:
            kept = kept[~np.isin(keys[kept], np.fromiter(excluded, np.int64, len(excluded)))]
        return cls(keys[kept], places[kept], sources[kept], names)

    def only(self, keep: Bools) -> Candidates:
        """Those of the candidates that `keep`, bool (n,), says."""
        return Candidates(self.keys[keep], self.best[keep], self.sources[keep], self.names)

    def places(self, keys: Sequence[int]) -> I64:
        """Where these keys stand among the candidates, int64 (len(keys),)."""
        return np.searchsorted(self.keys, np.asarray(keys, dtype=np.int64))

    def sources_of(self, keys: Sequence[int]) -> list[str]:
        """The source that put each of these keys first."""
        return [self.names[number] for number in self.sources[self.places(keys)].tolist()]


def gather(
    question: Question,
    personal: Personal,
    trending: Trending,
    user_row: int | None,
    excluded: set[int],
    more: Mapping[str, Sequence[I64]] | None = None,
) -> Candidates:
    """Ask every source for its best items.

    Args:
        user_row: the person's row in the bundle, which their best items are remembered by.
        excluded: keys that must not be shown.
        more: lists of further sources.
    """
    activity, linked = trending.activity, personal.linked
    lists: dict[str, list[I64]] = {"trending": [trending.keys()], "follows": _following(question, activity)}
    if question.vector is not None:
        source = "interests" if question.interests else "personal" if user_row is not None else "recent"
        lists[source] = [personal.best(question.vector, remembered_as(question, user_row))]
    if question.last_items:
        lists["similar"] = [personal.similar(question.last_items[0], SIMILAR)]
    if question.segment is not None:
        lists["segment"] = [linked.trending(f"segment:{question.segment}")[:OF_SCOPE]]
    for scope in filter(None, question.scopes):
        lists.setdefault("here", []).append(linked.trending(scope)[:OF_SCOPE])
    popular = (linked.trending("all")[:OF_SCOPE], linked.trending("popular")[:OF_SCOPE])
    lists["popular"] = [np.concatenate(popular)]
    for name, parts in (more or {}).items():
        lists[name] = [*lists.get(name, []), *parts]
    return Candidates.of(lists, excluded)


def remembered_as(question: Question, user_row: int | None) -> Hashable:
    """What a person's best items are remembered by: the person and the last thing that moved the vector.

    Of strangers with the same interests and nothing else, one is like the other.
    """
    if question.interests:
        return question.interests
    recent = question.visitor.recent[-1] if question.visitor and question.visitor.recent else None
    return (user_row if user_row is not None else id(question.visitor), recent)


def _following(question: Question, activity: Activity) -> list[I64]:
    """What goes with the last items of the visit, and with the last ones of the person."""
    parts = []
    for item in question.last_items:
        for follows in (activity.next, activity.near):
            keys, weights = follows.after(item, question.at)
            parts.append(_heaviest(keys, weights[:, 1], FOLLOWING))
    recent = question.visitor.recent if question.visitor else []
    for item, _ in recent[-2:]:
        if item not in question.last_items:
            keys, weights = activity.near.after(item, question.at)
            parts.append(_heaviest(keys, weights[:, 2], OF_HISTORY))
    return parts


def _first_of_each(keys: I64, *ranks: I64) -> I64:
    """Where each distinct key stands first by the ranks, the first rank before the next; keys ascending."""
    order = np.lexsort((*reversed(ranks), keys))
    return np.asarray(order[np.diff(keys[order], prepend=-1) != 0])


def _heaviest(keys: I64, weights: F64, count: int) -> I64:
    return keys[np.argsort(-weights, kind="stable")[:count]]
