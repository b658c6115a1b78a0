"""Which events a sender may send, and who vouches for them.

Anybody can read a browser key in a page. An event that comes with one is therefore a claim by an unknown visitor:
it may be about the visitor's own device, and the user that it names is only claimed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ml.errors import TesseraError
from ml.events.contract import CUSTOM_PREFIX, EVENT_TYPES, SUSPECTED
from ml.events.normalization.ids import NOBODY

Authority = Literal["service", "server", "signed", "browser"]
CLAIMED_USER = "claimed_user_id"
CLAIMED_DEVICE = "claimed_anonymous_id"
# Properties that only the intake writes.
RESERVED_PROPERTIES = (CLAIMED_USER, CLAIMED_DEVICE, SUSPECTED)
BROWSER_FAMILIES = ("pages", "micro_interactions", "reactions", "conversion")
BROWSER_TYPES = (
    *(name for name, kind in EVENT_TYPES.items() if kind.family in BROWSER_FAMILIES),
    "identify", "consent_granted", "consent_withdrawn", "segment_feedback",
)  # fmt: skip
# The service writes these with `Collector.record`; nobody can send them.
SERVICE_TYPES = frozenset({"served", "erased"})
BROWSER_RULE = (
    f"is not accepted from a browser key, which may send {', '.join(BROWSER_TYPES)}, {CUSTOM_PREFIX}<name>"
)
_BROWSER_TYPES = frozenset(BROWSER_TYPES)


class RefusedEventError(TesseraError, ValueError):
    """An event that its sender may not send. The message says which field is at fault, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


def check_type(event_type: object, authority: Authority) -> None:
    """Check that a sender may send events of a type. Types outside the contract are left to validation.

    Args:
        event_type: The type, as sent.
        authority: Who vouches for the event.

    Raises:
        RefusedEventError: The service alone writes such events, or they need a secret key.
    """
    if not isinstance(event_type, str) or event_type not in EVENT_TYPES:
        return
    if event_type in SERVICE_TYPES:
        raise RefusedEventError("event_type", f"{event_type!r} is written by the service alone")
    if authority == "server" or event_type in _BROWSER_TYPES:
        return
    if event_type != "preference":
        raise RefusedEventError("event_type", f"{event_type!r} {BROWSER_RULE}")
    if authority != "signed":
        needs = "and preference with an identity token of the user and consent to personalization"
        raise RefusedEventError("event_type", f"{event_type!r} {BROWSER_RULE}, {needs}")


def check_identified(event_type: object, placeholders: Iterable[str]) -> None:
    """Check that an `identify` names a user.

    Args:
        event_type: The type, as sent.
        placeholders: Ids that name nobody and were removed from the event, such as `user_id 'null'`.

    Raises:
        RefusedEventError: The user of the identify is one of them.
    """
    if event_type != "identify":
        return
    for name in placeholders:
        field, _, word = name.partition(" ")
        if field == "user_id":
            raise RefusedEventError(field, f"{word} {NOBODY}")


def check_value(value: object, bound: float) -> None:
    """Check that the value that a browser sends is plausible. Values of a wrong type are left to validation.

    Raises:
        RefusedEventError: The value is beyond `bound` on either side of zero.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > bound:
        raise RefusedEventError("value", f"{str(value)[:40]} is beyond the {bound:g} that a browser key may send")


def remove_reserved_properties(record: dict[str, Any]) -> None:
    """Remove what only the intake says about an event, from the record and from its properties, in place."""
    record.pop("authority", None)
    properties = record.get("properties")
    places = [record, properties] if isinstance(properties, dict) else [record]
    for place in places:
        for name in RESERVED_PROPERTIES:
            if name in place:
                del place[name]


def claim(record: dict[str, Any], field: str, claimed: str) -> None:
    """Move an id of a record to its properties, as a claim, in place.

    An id or properties of a wrong type stay as they are, for validation to reject.
    """
    value, properties = record.get(field), record.setdefault("properties", {})
    if isinstance(value, str) and isinstance(properties, dict):
        del record[field]
        if value:
            properties[claimed] = value
