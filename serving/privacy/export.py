"""Exports everything that is held about one person as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.home import Home


def export_person(
    home: Home, ids: Sequence[str], descriptions: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Collect the state, the published facts, and every event of the log that names the person.

    Args:
        home: Where the event log is.
        ids: The user id, followed by the other ids of this person alone, as `find_person_ids` of
            `ml.erasure.people` returns them.
        descriptions: What `GET /v1/users/{id}` answers for each id, None if that is nothing.
    """
    log, people = EventLog(home), pa.array(list(ids), pa.string())
    events: list[dict[str, Any]] = []
    for batch in [*log.read(), *read_open_parts(log)]:
        is_person = pc.or_(_is_among(batch["user_id"], people), _is_among(batch["anonymous_id"], people))
        events += [_drop_nulls(row) for row in batch.filter(is_person).to_pylist()]
    return {
        "user_id": ids[0],
        "other_ids": list(ids[1:]),
        "known": descriptions[ids[0]],
        "known_by_other_ids": {other: descriptions[other] for other in ids[1:] if descriptions[other]},
        "events": sorted(events, key=lambda event: (str(event["occurred_at"]), event["event_id"])),
    }


def _is_among(column: pa.Array, people: pa.Array) -> pa.Array:
    return pc.fill_null(pc.is_in(column, value_set=people), False)


def _drop_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
