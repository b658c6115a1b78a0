"""What is remembered of one visitor and of one running visit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ml.events.personalization_consent import PersonalizationConsent


@dataclass(slots=True)
class Visit:
    """The running session of one visitor.

    Attributes:
        items: Item keys in the order in which they were opened.
        last_at: Time of the last opening, Unix seconds.
        opened: Number of openings, including those that `items` no longer holds.
        user: Key of the person whose visit it is.
    """

    items: list[int] = field(default_factory=list)
    last_at: float = 0.0
    opened: int = 0
    user: str | None = None


@dataclass(slots=True)
class Visitor:
    """The recent behaviour of one person.

    Attributes:
        recent: Item keys with Unix seconds, the newest last.
        seen: Item keys that must not be recommended again because the person opened or used them.
        repeats: How often the person opened an item again, by item key.
        rejected: Item keys that the person asked not to see again.
        last_at: Time of the newest event, Unix seconds.
        opened: Number of openings.
        popularity: Sum over the openings of the logarithm of the item's popularity at that time.
        language: Language of the newest event that has one.
        located_at: Time of the newest event that says whether the location may be used; -inf before the first.
        may_locate: What that event says.
        consent: What the person's events say about personalization.
        shown: Times of the impressions of the last day by item key.
        shown_campaigns: Times of the impressions of the last day by campaign.
        shown_contents: Times of the impressions of the last day by content, variant, banner or offer.
        contents_alone: The part of `shown_contents` whose campaign nobody named.
        unreported: How often an answer counted as shown, by what it showed, and no impression reported it yet.
        answered_slots: Times of the answers of the last day by slot.
        reporting_slots: Slots whose answers to this person are reported by impressions.
        exposures: Exposures that were already logged, the oldest first; the values carry nothing.
    """

    recent: list[tuple[int, float]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    repeats: dict[int, int] = field(default_factory=dict)
    rejected: set[int] = field(default_factory=set)
    country: str | None = None
    region: str | None = None
    device: str | None = None
    language: str | None = None
    located_at: float = -math.inf
    may_locate: bool = False
    last_at: float = 0.0
    opened: int = 0
    popularity: float = 0.0
    consent: PersonalizationConsent = field(default_factory=PersonalizationConsent)
    shown: dict[int, list[float]] = field(default_factory=dict)
    shown_campaigns: dict[str, list[float]] = field(default_factory=dict)
    shown_contents: dict[str, list[float]] = field(default_factory=dict)
    contents_alone: dict[str, list[float]] = field(default_factory=dict)
    unreported: dict[tuple[str | None, str | None], int] = field(default_factory=dict)
    answered_slots: dict[str, list[float]] = field(default_factory=dict)
    reporting_slots: set[str] = field(default_factory=set)
    exposures: dict[str, None] = field(default_factory=dict)
