"""The reduced form of an event that recent activity is folded from."""

from __future__ import annotations

import json
from dataclasses import dataclass

OPENINGS = frozenset({"page_view", "click", "video_play"})
ORDERS = frozenset({"add_to_cart", "checkout", "purchase"})
"""Events that count as an opening where the person has not opened the item: a site may know nothing but orders."""
REACTIONS = frozenset({"like", "bookmark", "share", "comment"}) | ORDERS
REJECTIONS = frozenset({"not_interested", "dislike"})
ANSWERED = "answered"
"""Stands for an answer of the event log, whose slot is known again but which is not counted again."""
CONSENTS = frozenset({"consent_granted", "consent_withdrawn", "preference"})
"""Events that can grant personalization or refuse it."""


@dataclass(slots=True)
class StateChange:
    """The fields of one event that the online state needs.

    Attributes:
        user: Key of the person, as `person_key` gives it.
        at: Unix seconds.
        detail: JSON text. It holds the items of a `served` event, the purposes that a consent event grants or
            refuses, or an exposure as `describe_exposure` writes it.
        reacts_to: Id of the answer that the event reacts to; of the answer itself for `served`.
        event_id: Id of the event; None for a change that the service made itself.
        authority: Who vouches for the event; None for the site's server.
        lists_personalization: Whether the purposes that the event lists include personalization; None for an event
            that lists none.
        device_key: Key of the device of an event that names a user too.
        language: BCP 47 tag.
        lists_location: As `lists_personalization`, of the purpose location.
        element: The element of the page that a click or a hover hit.
        value: The measure of the event, in the unit of its type.
        content: Content, variant, banner or offer that an impression reports or a decision shows.
    """

    user: str
    event_type: str
    at: float
    item: str | None = None
    session: str | None = None
    country: str | None = None
    region: str | None = None
    device: str | None = None
    slot: str | None = None
    campaign: str | None = None
    detail: str | None = None
    reacts_to: str | None = None
    event_id: str | None = None
    authority: str | None = None
    lists_personalization: bool | None = True
    device_key: str | None = None
    content: str | None = None
    language: str | None = None
    lists_location: bool | None = True
    element: str | None = None
    value: float | None = None


def describe_exposure(experiment_id: str, unit_id: str, variant: str) -> str:
    """Return an exposure as JSON text, which is the same for the same unit and variant."""
    return json.dumps([experiment_id, unit_id, variant])
