"""Which purposes a person granted, and what an event may carry under them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ml.events.contract import CONSENT_PURPOSES

SignalRule = Literal["ignore", "no_personalization", "no_analytics"]
# They say what was granted or withdrawn, and of whom: without them no withdrawal would take effect.
CONTROL = frozenset({"consent_granted", "consent_withdrawn", "erased"})
PLACE_FIELDS = ("city", "region")
POSITION_PROPERTIES = ("latitude", "longitude", "altitude", "location_accuracy")


def purposes(given: Any, default: Iterable[str], signals: Iterable[SignalRule]) -> list[str]:
    """Purposes that hold for an event: what it says, else the default, less what the browser objects to.

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


def without_person(record: dict[str, Any], stand_in: str) -> dict[str, Any]:
    """The event without the known user; `stand_in` is the anonymous id if it has none of its own."""
    kept = {name: value for name, value in record.items() if name != "user_id"}
    if not kept.get("anonymous_id"):
        kept["anonymous_id"] = stand_in
    return kept


def without_position(record: dict[str, Any]) -> dict[str, Any]:
    """The event without any place finer than the country."""
    kept = {name: value for name, value in record.items() if name not in PLACE_FIELDS}
    properties = kept.get("properties")
    if isinstance(properties, dict):
        kept["properties"] = {k: v for k, v in properties.items() if k not in POSITION_PROPERTIES}
    return kept
