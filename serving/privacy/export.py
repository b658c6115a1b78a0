"""Portability: everything that is held of one person, as JSON."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.event_log import EventLog
from ml.home import Home
from ml.live_log import read_open


def exported(home: Home, user: str, known: dict[str, Any]) -> dict[str, Any]:
    """State and published facts, and every event of the log that names the person.

    Args:
        known: what `GET /v1/users/{id}` answers.
    """
    log = EventLog(home)
    events: list[dict[str, Any]] = []
    for batch in [*log.read(), *read_open(log)]:
        own = pc.or_(_is(batch["user_id"], user), _is(batch["anonymous_id"], user))
        events += [_plain(row) for row in batch.filter(own).to_pylist()]
    return {"user_id": user, "known": known, "events": sorted(events, key=lambda event: str(event["occurred_at"]))}


def _is(column: pa.Array, value: str) -> pa.Array:
    return pc.fill_null(pc.equal(column, value), False)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
