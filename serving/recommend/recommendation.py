"""The answer to a recommendation request, before it becomes JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recommendation:
    """The items that are shown to one person.

    Attributes:
        recommendation_id: Id that events refer to when they react to the answer.
        items: Item id, rank, score, source and reason of each item, best first.
        propensities: Probability of each item at its rank; empty for an interleaved list.
        is_personalized: Whether the person's history or interests brought an item.
        fallback: The first source of the fallback chain that filled a rank, or `none`.
        stages: Name and seconds of each stage of the ranking.
        log_properties: Further properties of the `served` event.
    """

    recommendation_id: str
    items: list[dict[str, Any]]
    propensities: list[float]
    is_personalized: bool
    fallback: str
    stages: tuple[tuple[str, float], ...] = ()
    log_properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def item_ids(self) -> list[str]:
        """Ids of the items, best first."""
        return [item["item_id"] for item in self.items]
