"""Which items could be shown: what is popular now, what follows, what fits, what is new."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.decisions.activity import Activity
from ml.decisions.features import Question
from ml.decisions.personal import Personal

Keys = npt.NDArray[np.int64]
POPULAR_BY_PLACE = ((0, 25), (1, 50), (2, 40), (3, 40), (4, 20), (5, 40), (7, 40))
FOLLOWING = 40
OF_HISTORY = 15
OF_SCOPE = 30
SIMILAR = 20
NOTHING = np.zeros(0, dtype=np.int64)


class Trending:
    """The most popular items of an activity, found again when something was opened since.

    Args:
        activity: whose items.
        share: share of the time that finding them may take; between two searches the last answer stands.
    """

    def __init__(self, activity: Activity, share: float = 1.0) -> None:
        self.activity = activity
        self.share = share
        self._version = -1
        self._next = 0.0
        self._keys: Keys = np.zeros(0, dtype=np.int64)

    def keys(self) -> Keys:
        """Most popular items at every half-life and among those opened within visits, best places first."""
        now = time.perf_counter()
        if self._version != self.activity.version and now >= self._next:
            self._keys = self._found()
            self._version = self.activity.version
            self._next = now + (time.perf_counter() - now) * (1 / self.share - 1)
        return self._keys

    def _found(self) -> Keys:
        found: dict[int, int] = {}
        for column, count in POPULAR_BY_PLACE:
            for place, key in enumerate(self.activity.popular.top(column, count).tolist()):
                found[key] = min(place, found.get(key, place))
        return np.array(sorted(found, key=lambda key: (found[key], key)), dtype=np.int64)


@dataclass(frozen=True)
class Candidates:
    """What could be shown.

    Attributes:
        keys: distinct item keys, int64 (n,), ascending; nothing that the person has seen or rejected.
        best: best place of each key in the list of any source, int64 (n,).
        sources: the source that has the key there, int64 (n,) places in `names`.
        names: of the sources, sorted.
    """

    keys: Keys
    best: Keys
    sources: Keys
    names: tuple[str, ...]

    @classmethod
    def of(cls, lists: Mapping[str, Sequence[Keys]], excluded: set[int]) -> Candidates:
        """Join the lists of all sources, best first each, and leave out what must not be shown."""
        names = tuple(sorted(lists))
        parts = [(number, part) for number, name in enumerate(names) for part in lists[name]]
        keys = np.concatenate([NOTHING, *(part for _, part in parts)])
        places = np.concatenate([NOTHING, *(np.arange(len(part)) for _, part in parts)])
        sources = np.repeat([number for number, _ in parts], [len(part) for _, part in parts]).astype(np.int64)
        order = np.lexsort((sources, places, keys))
        keys, places, sources = keys[order], places[order], sources[order]
        keep = np.diff(keys, prepend=-1) != 0  # the first of a key is its best place, in the first source by name
        if excluded:
            keep &= ~np.isin(keys, np.fromiter(excluded, np.int64, len(excluded)))
        return cls(keys[keep], places[keep], sources[keep], names)

    def only(self, keep: npt.NDArray[np.bool_]) -> Candidates:
        """Those of the candidates that `keep`, bool (n,), says."""
        return Candidates(self.keys[keep], self.best[keep], self.sources[keep], self.names)

    def places(self, keys: Sequence[int]) -> Keys:
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
    more: Mapping[str, Sequence[Keys]] | None = None,
) -> Candidates:
    """Ask every source for its best items.

    Args:
        user_row: the person's row in the bundle, which their best items are remembered by.
        excluded: keys that must not be shown.
        more: lists of further sources.
    """
    activity, linked = trending.activity, personal.linked
    lists: dict[str, list[Keys]] = {"trending": [trending.keys()], "follows": _following(question, activity)}
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


def _following(question: Question, activity: Activity) -> list[Keys]:
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


def _heaviest(keys: Keys, weights: npt.NDArray[np.float64], count: int) -> Keys:
    return keys[np.argsort(-weights, kind="stable")[:count]]
