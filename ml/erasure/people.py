"""Finds the ids that belong to a person: the user's id, and those of devices that nobody else used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.privacy.pseudonyms import Pseudonyms

COLUMNS = ("user_id", "anonymous_id")


def find_person_ids(log: EventLog, user: str, pseudonyms: Pseudonyms) -> list[str]:
    """Find the ids of a person.

    They are the user's id, its pseudonym if it is an e-mail address, and the ids of devices that only this person
    used. A device that another person used too is left out: its anonymous events may belong to either of them.

    Args:
        log: The event log.
        user: The user's id.
        pseudonyms: The pseudonyms of the site.
    """
    user_ids = [user, pseudonyms.pseudonymize(user)] if "@" in user else [user]
    people = pa.array(user_ids, pa.string())
    devices: set[str] = set()
    for batch in _pairs(log):
        used = batch["anonymous_id"].filter(pc.fill_null(pc.is_in(batch["user_id"], value_set=people), False))
        devices.update(used.drop_null().unique().to_pylist())
    if devices:
        names = pa.array(sorted(devices), pa.string())
        for batch in _pairs(log):
            others = pc.and_(
                pc.is_valid(batch["user_id"]), pc.invert(pc.is_in(batch["user_id"], value_set=people))
            )
            shared = batch["anonymous_id"].filter(
                pc.and_(others, pc.is_in(batch["anonymous_id"], value_set=names))
            )
            devices.difference_update(shared.unique().to_pylist())
    return [*user_ids, *sorted(devices - set(user_ids))]


def find_longer_ids(log: EventLog, ids: Iterable[str]) -> list[str]:
    """Find the ids in the log that contain one of the given ids and are none of them."""
    people = list(ids)
    longer: set[str] = set()
    for batch in _pairs(log):
        for name in COLUMNS:
            distinct = batch[name].unique().drop_null()
            for person in people:
                longer.update(distinct.filter(pc.match_substring(distinct, person)).to_pylist())
    return sorted(longer - set(people))


def _pairs(log: EventLog) -> Iterator[pa.RecordBatch]:
    yield from log.read(columns=COLUMNS)
    for batch in read_open_parts(log):
        yield batch.select(list(COLUMNS))
