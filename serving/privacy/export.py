"""Portability: everything that is held of one person, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.live_log import read_open
from ml.events.log import EventLog
from ml.home import Home


def exported(home: Home, ids: Sequence[str], known: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """State and published facts, and every event of the log that names the person or a device of theirs alone.

    Args:
        ids: the user id, then whatever else is this one person, as `ml.erasure.people.ids_of` finds it.
        known: what `GET /v1/users/{id}` answers of each id, None where that is nothing.
    """
    log, people = EventLog(home), pa.array(list(ids), pa.string())
    events: list[dict[str, Any]] = []
    for batch in [*log.read(), *read_open(log)]:
        own = pc.or_(_is_among(batch["user_id"], people), _is_among(batch["anonymous_id"], people))
        events += [_plain(row) for row in batch.filter(own).to_pylist()]
    return {
        "user_id": ids[0],
        "other_ids": list(ids[1:]),
        "known": known[ids[0]],
        "known_by_other_ids": {one: known[one] for one in ids[1:] if known[one]},
        "events": sorted(events, key=lambda event: (str(event["occurred_at"]), event["event_id"])),
    }


def _is_among(column: pa.Array, people: pa.Array) -> pa.Array:
    return pc.fill_null(pc.is_in(column, value_set=people), False)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
