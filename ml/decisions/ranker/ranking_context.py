"""What ranking reads about the person and the moment, in training as in the service."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ml.arrays import F32
from ml.decisions.activity.activity import SCOPE_KINDS
from ml.decisions.activity.visitors import Visit, Visitor

LAST_ITEMS = 3


@dataclass
class RankingContext:
    """The person and the moment that items are ranked for.

    Attributes:
        at: Unix seconds.
        visit: The running visit; None without one.
        visitor: What the person did lately; None for a stranger, or if it must not be used.
        vector: float32 (d,), the person's factors; None without a model or a history.
        segment: Name of the person's segment.
        vector_topics: Topics of stated interest that the vector was made from, because nothing else was available.
        place: Country, region and device of the request. Where one is None, the visitor's last one counts.
        user_row: The person's row in the bundle; None if it must not be used.
        excluded: Item keys that must not be shown.
    """

    at: float
    visit: Visit | None = None
    visitor: Visitor | None = None
    vector: F32 | None = None
    segment: str | None = None
    vector_topics: tuple[str, ...] = ()
    place: tuple[str | None, str | None, str | None] = (None, None, None)
    user_row: int | None = None
    excluded: set[int] = field(default_factory=set)

    @property
    def scopes(self) -> tuple[str | None, ...]:
        """Names of the scopes of SCOPE_KINDS that the person belongs to, None where that is unknown."""
        visitor = self.visitor
        last = (visitor.country, visitor.region, visitor.device) if visitor else (None, None, None)
        values = [current or previous for current, previous in zip(self.place, last, strict=True)]
        return tuple(f"{kind}:{value}" if value else None for kind, value in zip(SCOPE_KINDS, values, strict=True))

    @property
    def last_items(self) -> list[int]:
        """Item keys of the running visit, the last one first."""
        return self.visit.items[: -LAST_ITEMS - 1 : -1] if self.visit else []

    @property
    def cache_key(self) -> Hashable:
        """The key of the person's best items: the person and the last event that moved the vector.

        Strangers with the same stated interests and nothing else share a key.
        """
        if self.vector_topics:
            return self.vector_topics
        last = self.visitor.recent[-1] if self.visitor and self.visitor.recent else None
        return (self.user_row if self.user_row is not None else id(self.visitor), last)
