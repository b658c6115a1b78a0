"""Exports everything that is held about one person as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.erasure.person_ids import PersonIds
from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.home import Home


def export_person(
    home: Home, ids: PersonIds, descriptions: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Collect the state, the published facts, and every event of the log that names the person.

    Args:
        home: Where the event log is.
        ids: The ids of this person alone. The id that was asked for is that of a device if no event has it as a
            user's.
        descriptions: What `GET /v1/users/{id}` answers for each id, None if that is nothing.
    """
    events = read_events_of(home, ids)
    first, *others = ids.all
    return {
        "user_id": first,
        "other_ids": others,
        "known": descriptions[first],
        "known_by_other_ids": {other: descriptions[other] for other in others if descriptions[other]},
        "events": sorted(events, key=lambda event: (str(event["occurred_at"]), event["event_id"])),
    }


def read_events_of(home: Home, ids: PersonIds) -> list[dict[str, Any]]:
    """Return every event of the log that names a person, without its nulls, in the order of the log."""
    return _read_events(home, ids.users, ids.devices) or _read_events(home, (), ids.users)


def _read_events(home: Home, users: Sequence[str], devices: Sequence[str]) -> list[dict[str, Any]]:
    """Read every event of the log that names one of the users or devices."""
    is_person = _is_among("user_id", users) | _is_among("anonymous_id", devices)
    rows = (row for batch in read_all_events(EventLog(home), condition=is_person) for row in batch.to_pylist())
    return [_drop_nulls(row) for row in rows]


def _is_among(column: str, people: Sequence[str]) -> pc.Expression:
    return pc.field(column).isin(pa.array(people, pa.string()))


def _drop_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
