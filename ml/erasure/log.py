"""Erases people from the event log and the dead letters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.events.manifest import Part
from ml.home import Home
from ml.integrity.digests import read_checked_table, stem_of, write_named_by_content
from ml.privacy.erased_ids import is_distinctive, mention_mask, without_people, word_pattern

TEXTS = ("item_id", "page_url", "page_title", "referrer", "properties", "session_id", "recommendation_id")
REMAINDER = "erased"


def erase_events(log: EventLog, people: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Rewrite every part that names one of the ids, and delete the replaced files.

    The log leaves the events of erased people out when it writes. Where the event of another person names an
    erased id in a text, such as the address of a profile page, only the id is cut out.

    Args:
        log: The event log.
        people: The ids of each person, by receipt.

    Returns:
        The number of events that were erased, by receipt.
    """
    ids = [person for person_ids in people.values() for person in person_ids]
    counts = dict.fromkeys(people, 0)
    for part in log.parts():
        is_named = False
        for batch in log.read([part], ("user_id", "anonymous_id", *TEXTS)):
            if _names(batch, ids):
                is_named = True
                for receipt, person_ids in people.items():
                    counts[receipt] += _count(batch, person_ids)
        if is_named:
            log.replace(part, _redacted(log, part, ids))
    log.remove_replaced(dt.timedelta(0), dt.datetime.now(dt.UTC))
    return counts


def erase_dead_letters(letters: DeadLetters, ids: Sequence[str]) -> int:
    """Drop the sealed dead letters that name one of the ids, and return their number."""
    removed = 0
    for file in letters.files():
        table = read_checked_table(file)
        named = mention_mask(table["payload"], ids) | mention_mask(table["reason"], ids)
        if named.any():
            removed += int(named.sum())
            write_named_by_content(table.filter(pa.array(~named)), file.parent, stem_of(file))
    return removed


def count_open(home: Home, people: Sequence[str]) -> tuple[int, int]:
    """Count the events and dead letters of a person in files that are still open.

    Sealing these files leaves the person out.
    """
    events = sum(_count(batch, people) for batch in read_open_parts(EventLog(home)))
    letters = 0
    for file in (home.dead_letters / "open").glob("*.jsonl"):
        lines = pa.array(file.read_text(encoding="utf-8", errors="replace").splitlines(), pa.string())
        letters += int(mention_mask(lines, people).sum())
    return events, letters


def _names(batch: pa.RecordBatch, ids: Sequence[str]) -> bool:
    people = pa.array(ids, pa.string())
    if any(pc.any(pc.is_in(batch[name], value_set=people)).as_py() for name in ("user_id", "anonymous_id")):
        return True
    distinctive = [person for person in ids if is_distinctive(person)]
    return any(mention_mask(batch[name], distinctive).any() for name in TEXTS)


def _count(batch: pa.RecordBatch, ids: Sequence[str]) -> int:
    """Count the events of the batch that are erased with a person."""
    return len(batch) - len(without_people(pa.Table.from_batches([batch]), pa.array(ids, pa.string())))


def _redacted(log: EventLog, part: Part, ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
    ids = [person for person in ids if is_distinctive(person)]
    for batch in log.read([part]):
        table = pa.Table.from_batches([batch], schema=EVENT_SCHEMA)
        for name in TEXTS:
            named = mention_mask(table[name], ids)
            if named.any():
                texts = table[name].to_pylist()
                for row in np.flatnonzero(named):
                    texts[row] = _cut(texts[row], ids)
                place = table.column_names.index(name)
                field = table.schema.field(place)
                table = table.set_column(place, field, pa.array(texts, field.type))
        yield from table.to_batches()


def _cut(text: str, ids: Sequence[str]) -> str:
    for person in ids:
        text = word_pattern(person).sub(REMAINDER, text)
    return text
