"""What people set themselves, read from the event log."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.privacy.person_key import person_key

PREFERENCE = "preference"
COLUMNS = ("event_id", "event_type", "user_id", "anonymous_id", "occurred_at", "received_at", "properties")


def read_profiles(
    log: EventLog, quarantine: Quarantine, where: str, without: Collection[tuple[str, str]] = ()
) -> dict[str, dict[str, Any]]:
    """Fold the `preference` events of the log into what each person has set now.

    An event changes the fields that it names, and null removes a field. Erased people are left out.

    Args:
        log: The event log.
        quarantine: Where an event that cannot be folded is recorded.
        where: Who reads, for the quarantine.
        without: Events that do not count, by their id and the person's key.

    Returns:
        The profile of each person who has set something, by the person's key.
    """
    profiles: dict[str, dict[str, Any]] = {}
    for event in _read_preferences(log):
        try:
            user = str(person_key(event["user_id"], event["anonymous_id"]))
            if (event["event_id"], user) in without:
                continue
            profiles[user] = change_profile(profiles.get(user, {}), event["properties"])
        except Exception as error:  # noqa: BLE001  # whatever an event holds, the events after it count
            quarantine.set_aside(str(event["event_id"]), error, where)
            continue
    return {user: profile for user, profile in profiles.items() if profile}


def change_profile(profile: Mapping[str, Any], properties: str | None) -> dict[str, Any]:
    """Return a profile after a `preference` event with these properties, JSON."""
    changed = {**profile, **orjson.loads(properties or "{}")}
    return {name: value for name, value in changed.items() if value is not None}


def _read_preferences(log: EventLog) -> list[dict[str, Any]]:
    """Return the `preference` events in the order in which they occurred."""
    batches = list(read_all_events(log, COLUMNS, pc.field("event_type") == PREFERENCE))
    if not batches:
        return []
    log.erased.refresh()
    events = log.erased.without(pa.Table.from_batches(batches))
    order = pc.sort_indices(events, sort_keys=[("occurred_at", "ascending"), ("received_at", "ascending")])
    return list(events.take(order).to_pylist())
