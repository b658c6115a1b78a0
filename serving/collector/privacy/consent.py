"""Which purposes a person granted, and what an event may carry under them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ml.events.contract import CONSENT_PURPOSES

SignalRule = Literal["ignore", "no_personalization", "no_analytics"]
# They say what was granted or withdrawn, and of whom: without them no withdrawal would take effect.
CONTROL_EVENT_TYPES = frozenset({"consent_granted", "consent_withdrawn", "erased"})
PLACE_FIELDS = ("city", "region")
POSITION_PROPERTIES = ("latitude", "longitude", "altitude", "location_accuracy")


def resolve_purposes(given: Any, default: Iterable[str], signals: Iterable[SignalRule]) -> list[str]:
    """Resolve the purposes of an event: its own or the default ones, less those that the browser denies.

    Unknown purposes are left in, for validation to reject by name.
    """
    granted = list(default) if given is None else given
    if not isinstance(granted, list):
        return granted  # type: ignore[no-any-return]
    for signal in signals:
        if signal == "no_analytics":
            return []
        if signal == "no_personalization":
            granted = [purpose for purpose in granted if purpose == "analytics"]
    return [purpose for purpose in CONSENT_PURPOSES if purpose in granted] + [
        purpose for purpose in granted if purpose not in CONSENT_PURPOSES
    ]


def remove_location(record: dict[str, Any]) -> None:
    """Remove every location finer than the country, in place."""
    for name in PLACE_FIELDS:
        record.pop(name, None)
    properties = record.get("properties")
    if isinstance(properties, dict):
        for name in POSITION_PROPERTIES:
            properties.pop(name, None)
