"""People out of the event log and the dead letters."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.live_log import read_open
from ml.events.log import EventLog, Part
from ml.home import Home
from ml.privacy.erased_ids import is_distinctive, mentions, without_people, word

TEXTS = ("item_id", "page_url", "page_title", "referrer", "properties", "session_id", "recommendation_id")
REMAINDER = "erased"


def erase_events(log: EventLog, people: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Rewrite every part that names one of the ids, and delete the files that were replaced, at once.

    The log itself leaves the events of erased people out when it writes. Where somebody else's event names one in
    a text (the address of a profile page, say) the id alone is cut out.

    Args:
        people: by receipt, the ids of one person.

    Returns:
        By receipt, the number of events that went.
    """
    ids = [one for own in people.values() for one in own]
    counts = dict.fromkeys(people, 0)
    for part in log.parts():
        is_named = False
        for batch in log.read([part], ("user_id", "anonymous_id", *TEXTS)):
            if _names(batch, ids):
                is_named = True
                for receipt, own in people.items():
                    counts[receipt] += _count(batch, own)
        if is_named:
            log.replace(part, _redacted(log, part, ids))
    log.remove_replaced(dt.timedelta(0), dt.datetime.now(dt.UTC))
    return counts


def erase_dead_letters(letters: DeadLetters, ids: Sequence[str]) -> int:
    """Drop the sealed dead letters that name one of the ids; returns how many."""
    removed = 0
    for file in sorted(letters.folder.glob("received_date=*/*.parquet")):
        table = pq.read_table(file)
        named = mentions(table["payload"], ids) | mentions(table["reason"], ids)
        if named.any():
            removed += int(named.sum())
            draft = file.with_suffix(".draft")
            pq.write_table(table.filter(pa.array(~named)), draft, compression="zstd")
            os.replace(draft, file)
    return removed


def count_open(home: Home, people: Sequence[str]) -> tuple[int, int]:
    """Events and dead letters of a person in files that are still open; sealing them leaves the person out."""
    events = sum(_count(batch, people) for batch in read_open(EventLog(home)))
    letters = 0
    for file in (home.dead_letters / "open").glob("*.jsonl"):
        lines = pa.array(file.read_text(encoding="utf-8").splitlines(), pa.string())
        letters += int(mentions(lines, people).sum())
    return events, letters


def _names(batch: pa.RecordBatch, ids: Sequence[str]) -> bool:
    people = pa.array(ids, pa.string())
    if any(pc.any(pc.is_in(batch[name], value_set=people)).as_py() for name in ("user_id", "anonymous_id")):
        return True
    texts = [one for one in ids if is_distinctive(one)]
    return any(mentions(batch[name], texts).any() for name in TEXTS)


def _count(batch: pa.RecordBatch, ids: Sequence[str]) -> int:
    """Events of the batch that go with this person."""
    return len(batch) - len(without_people(pa.Table.from_batches([batch]), pa.array(ids, pa.string())))


def _redacted(log: EventLog, part: Part, ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
    ids = [one for one in ids if is_distinctive(one)]
    for batch in log.read([part]):
        table = pa.Table.from_batches([batch], schema=EVENT_SCHEMA)
        for name in TEXTS:
            named = mentions(table[name], ids)
            if named.any():
                texts = table[name].to_pylist()
                for row in np.flatnonzero(named):
                    texts[row] = _cut(texts[row], ids)
                place = table.column_names.index(name)
                field = table.schema.field(place)
                table = table.set_column(place, field, pa.array(texts, field.type))
        yield from table.to_batches()


def _cut(text: str, ids: Sequence[str]) -> str:
    for one in ids:
        text = word(one).sub(REMAINDER, text)
    return text
