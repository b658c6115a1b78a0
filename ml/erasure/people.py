"""Which ids are one person: the user's own, and those of devices that nobody else used."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.live_log import read_open
from ml.events.log import EventLog
from ml.privacy.pseudonyms import Pseudonyms

COLUMNS = ("user_id", "anonymous_id")


def ids_of(log: EventLog, user: str, pseudonyms: Pseudonyms) -> list[str]:
    """The id itself, its pseudonym where it is an e-mail address, and ids of devices that only this person used.

    A device that somebody else used too is not the person's: its anonymous events could be of either.
    """
    own = [user, pseudonyms.of(user)] if "@" in user else [user]
    people = pa.array(own, pa.string())
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
    return [*own, *sorted(devices - set(own))]


def _pairs(log: EventLog) -> Iterator[pa.RecordBatch]:
    yield from log.read(columns=COLUMNS)
    for batch in read_open(log):
        yield batch.select(list(COLUMNS))
