"""Erases people from the event log and the dead letters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.erasure.person_ids import PersonIds
from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.events.manifest import Part
from ml.home import Home
from ml.integrity.checked_tables import read_checked_table, write_named_by_content
from ml.integrity.digests import stem_of
from ml.privacy.erased_ids import without_people
from ml.privacy.id_matcher import IdMatcher

TEXTS = ("item_id", "page_url", "page_title", "referrer", "properties", "session_id", "recommendation_id")
REMAINDER = "erased"


def erase_events(
    log: EventLog, people: Mapping[str, PersonIds], others: Sequence[str] = (), common: Collection[str] = ()
) -> dict[str, int]:
    """Rewrite every part that names one of the ids, and delete the replaced files.

    The log leaves the events of erased people out when it writes. Where the event of another person names an
    erased id in a text, such as the address of a profile page, only the id is cut out.

    Args:
        log: The event log.
        people: The ids of each person, by receipt.
        others: The ids of other people that contain one of these, as `find_longer_ids` returns them.
        common: The ids that name something else as well, as `find_common_names` returns them.

    Returns:
        The number of events that were erased, by receipt.
    """
    matcher = IdMatcher((person for ids in people.values() for person in ids.all), others, common=common)
    counts = dict.fromkeys(people, 0)
    for part in log.parts():
        is_named = False
        for batch in log.read([part], ("user_id", "anonymous_id", *TEXTS)):
            counts_here = {receipt: _count(batch, ids) for receipt, ids in people.items()}
            if any(counts_here.values()) or _names(batch, people.values(), matcher):
                is_named = True
                for receipt, count in counts_here.items():
                    counts[receipt] += count
        if is_named:
            log.replace(part, _redacted(log, part, matcher))
    log.remove_replaced(dt.timedelta(0), dt.datetime.now(dt.UTC))
    for file in log.damaged.glob("*"):
        if matcher.is_in_bytes(file.read_bytes()):  # its readable events are in the log
            file.unlink()
    return counts


def erase_dead_letters(letters: DeadLetters, ids: Sequence[str], others: Sequence[str] = ()) -> int:
    """Drop the sealed dead letters that name one of the ids, and return their number."""
    removed = 0
    matcher = IdMatcher(ids, others, distinctive_only=False)
    for file in (letters.folder / "damaged").glob("*"):
        if matcher.is_in_bytes(file.read_bytes()):
            file.unlink()
    for file in letters.files():
        table = read_checked_table(file)
        named = matcher.mark(table["payload"]) | matcher.mark(table["reason"])
        if named.any():
            removed += int(named.sum())
            write_named_by_content(table.filter(pa.array(~named)), file.parent, stem_of(file))
    return removed


def count_open(home: Home, people: PersonIds) -> tuple[int, int]:
    """Count the events and dead letters of a person in files that are still open.

    Sealing these files leaves the person out.
    """
    events = sum(_count(batch, people) for batch in read_open_parts(EventLog(home)))
    letters = 0
    matcher = IdMatcher(people.all, distinctive_only=False)
    for file in (home.dead_letters / "open").glob("*.jsonl"):
        lines = pa.array(file.read_text(encoding="utf-8", errors="replace").splitlines(), pa.string())
        letters += int(matcher.mark(lines).sum())
    return events, letters


def _names(batch: pa.RecordBatch, people: Iterable[PersonIds], matcher: IdMatcher) -> bool:
    """Return whether an event of somebody else names one of the people."""
    devices = pa.array([device for ids in people for device in ids.all], pa.string())
    if pc.any(pc.is_in(batch["anonymous_id"], value_set=devices)).as_py():
        return True
    return any(matcher.mark(batch[name]).any() for name in TEXTS)


def _count(batch: pa.RecordBatch, ids: PersonIds) -> int:
    """Count the events of the batch that are erased with a person."""
    users, devices = pa.array(ids.users, pa.string()), pa.array(ids.all, pa.string())
    return len(batch) - len(without_people(pa.Table.from_batches([batch]), users, devices))


def _redacted(log: EventLog, part: Part, matcher: IdMatcher) -> Iterator[pa.RecordBatch]:
    for batch in log.read([part]):
        table = pa.Table.from_batches([batch], schema=EVENT_SCHEMA)
        for name in TEXTS:
            named = matcher.mark(table[name])
            if named.any():
                texts = table[name].to_pylist()
                for row in np.flatnonzero(named):
                    texts[row] = matcher.cut(texts[row], REMAINDER)
                place = table.column_names.index(name)
                field = table.schema.field(place)
                table = table.set_column(place, field, pa.array(texts, field.type))
        yield from table.to_batches()
