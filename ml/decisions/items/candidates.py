"""Collects the items that could be shown: popular now, opened next, personal, similar, of a segment or a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64, Bools
from ml.decisions.activity.activity import Activity
from ml.decisions.items.personal_scorer import NOTHING, PersonalScorer
from ml.decisions.ranker.ranking_context import RankingContext

POPULAR_COUNTS = ((0, 25), (1, 50), (2, 40), (3, 40), (4, 20), (5, 40), (7, 40))
"""Columns of `Activity.popular`, and how many of the most popular items each of them contributes."""
FOLLOWING = 40
OF_HISTORY = 15
OF_SCOPE = 30
SIMILAR = 20
EVERYBODY = "everybody"
"""Key of the best items of a model that has one list for all people."""


class TrendingItems:
    """The most popular items of an activity, computed again after openings.

    Time decays all weights of a half-life alike, so the order changes only through new openings. A new answer is
    therefore chosen among the previous one and the items that were opened since.
    """

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self._version = -1
        self._best: list[I64] = []
        self._keys: I64 = NOTHING

    def keys(self) -> I64:
        """Return the most popular items at every half-life and within visits, best positions first, int64 (n,)."""
        if self._version != self.activity.version:
            self._update()
            self._version = self.activity.version
        return self._keys

    def _update(self) -> None:
        opened = self.activity.keys_opened_since(self._version)
        among = None if opened is None else np.unique(np.concatenate([*self._best, opened]))
        self._best = [self.activity.popular.top(column, count, among) for column, count in POPULAR_COUNTS]
        keys = np.concatenate(self._best)
        positions = np.concatenate([np.arange(len(best)) for best in self._best])
        first = _first_of_each(keys, positions)
        self._keys = keys[first][np.argsort(positions[first], kind="stable")]


@dataclass(frozen=True)
class CandidateSet:
    """Items that could be shown to one person.

    Attributes:
        keys: int64 (n,), distinct item keys in ascending order, without those that the person has seen or
            rejected.
        best_positions: int64 (n,), the best position of each key in the list of any source.
        source_numbers: int64 (n,), the source with that position, as an index into `source_names`.
        source_names: The sources, sorted.
    """

    keys: I64
    best_positions: I64
    source_numbers: I64
    source_names: tuple[str, ...]

    @classmethod
    def merge(cls, lists: Mapping[str, Sequence[I64]], excluded: set[int]) -> CandidateSet:
        """Merge the lists of all sources, each best first, and leave out what must not be shown."""
        names = tuple(sorted(lists))
        parts = [(number, part) for number, name in enumerate(names) for part in lists[name]]
        keys = np.concatenate([NOTHING, *(part for _, part in parts)])
        positions = np.concatenate([NOTHING, *(np.arange(len(part)) for _, part in parts)])
        sources = np.repeat([number for number, _ in parts], [len(part) for _, part in parts]).astype(np.int64)
        kept = _first_of_each(keys, positions, sources)
        if excluded:
            kept = kept[~np.isin(keys[kept], np.fromiter(excluded, np.int64, len(excluded)))]
        return CandidateSet(keys[kept], positions[kept], sources[kept], names)

    def select(self, keep: Bools) -> CandidateSet:
        """Return the candidates for which `keep`, bool (n,), is true."""
        return CandidateSet(
            self.keys[keep], self.best_positions[keep], self.source_numbers[keep], self.source_names
        )

    def find_rows(self, keys: Sequence[int]) -> I64:
        """Return the indices of these keys among the candidates, int64 (len(keys),)."""
        return np.searchsorted(self.keys, np.asarray(keys, dtype=np.int64))

    def sources_of(self, keys: Sequence[int]) -> list[str]:
        """Return the source that gave each of these keys its best position."""
        return [self.source_names[number] for number in self.source_numbers[self.find_rows(keys)].tolist()]


def gather_candidates(
    context: RankingContext,
    scorer: PersonalScorer,
    trending: TrendingItems,
    more: Mapping[str, Sequence[I64]] | None = None,
) -> CandidateSet:
    """Take the best items of every source.

    Args:
        context: Who the items are for.
        scorer: The bundle's model.
        trending: The popular items of the activity.
        more: Lists of further sources.
    """
    activity, join = trending.activity, scorer.join
    popular_now = trending.keys()
    if join.index is not None:  # people make popularity: where a catalogue says anything, one visitor does not
        popular_now = popular_now[activity.have_company(popular_now)]
    lists: dict[str, list[I64]] = {"trending": [popular_now], "follows": _following(context, activity)}
    if context.vector is not None:
        source = "interests" if context.vector_topics else "personal" if context.user_row is not None else "recent"
        if not scorer.ranks_for_everybody:
            lists[source] = [scorer.best_keys(context.vector, context.cache_key)]
    if context.last_items:
        lists["similar"] = [scorer.similar_keys(context.last_items[0], SIMILAR)]
    if context.segment is not None:
        lists["segment"] = [join.trending_keys(f"segment:{context.segment}")[:OF_SCOPE]]
    for scope in filter(None, context.scopes):
        lists.setdefault("here", []).append(join.trending_keys(scope)[:OF_SCOPE])
    popular = (join.trending_keys("all")[:OF_SCOPE], join.trending_keys("popular")[:OF_SCOPE])
    lists["popular"] = [np.concatenate(popular)]
    if context.vector is not None and scorer.ranks_for_everybody:
        lists["popular"].append(scorer.best_keys(context.vector, EVERYBODY))
    for name, parts in (more or {}).items():
        lists[name] = [*lists.get(name, []), *parts]
    return CandidateSet.merge(lists, context.excluded)


def _following(context: RankingContext, activity: Activity) -> list[I64]:
    """Return what goes with the last items of the visit, and with the last ones of the person."""
    parts = []
    for item in context.last_items:
        for co_visitation in (activity.next, activity.near):
            keys, weights = co_visitation.followers(item, context.at)
            parts.append(_heaviest(keys, weights[:, 1], FOLLOWING))
    recent = context.visitor.recent if context.visitor else []
    for item, _ in recent[-2:]:
        if item not in context.last_items:
            keys, weights = activity.near.followers(item, context.at)
            parts.append(_heaviest(keys, weights[:, 2], OF_HISTORY))
    return parts


def _first_of_each(keys: I64, *ranks: I64) -> I64:
    """Return where each distinct key is first by the ranks, the first rank before the next; keys ascending."""
    order = np.lexsort((*reversed(ranks), keys))
    return np.asarray(order[np.diff(keys[order], prepend=-1) != 0])


def _heaviest(keys: I64, weights: F64, count: int) -> I64:
    return keys[np.argsort(-weights, kind="stable")[:count]]
