"""Exports everything that is held about one person as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starlette.concurrency import run_in_threadpool

from ml.erasure.people import find_person_ids
from ml.erasure.person_ids import PersonIds
from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.home import Home
from ml.privacy.person_key import ANONYMOUS, ids_of_key
from serving.privacy.person_description import describe_user
from serving.tessera import Tessera


async def export_person(tessera: Tessera, ids: PersonIds) -> dict[str, Any]:
    """Collect the state, the published facts, and every event of the log that names the person.

    Args:
        tessera: The service.
        ids: The ids of this person alone. The id that was asked for is that of a device if no event has it as a
            user's.
    """
    described = {user: describe_user(tessera, user) for user in ids.users}
    described |= {device: describe_user(tessera, device, ANONYMOUS + device) for device in ids.devices}
    events = await run_in_threadpool(read_events_of, tessera.config.home, ids)
    first, *others = ids.all
    return {
        "user_id": first,
        "other_ids": others,
        "known": described[first],
        "known_by_other_ids": {other: described[other] for other in others if described[other]},
        "events": sorted(events, key=lambda event: (str(event["occurred_at"]), event["event_id"])),
    }


async def find_ids_of(tessera: Tessera, key: str) -> PersonIds:
    """Return the ids of the person with a key: of a user with all devices, or of a browser alone."""
    user_id, anonymous_id = ids_of_key(key)
    if user_id is None:
        return PersonIds((), (anonymous_id or "",))
    return await run_in_threadpool(find_person_ids, EventLog(tessera.config.home), user_id, tessera.pseudonyms)


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
