import datetime as dt

import pyarrow as pa

from ml.events.dead_letters import DeadLetters
from ml.events.records import REJECTED_SCHEMA
from ml.home import Home

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def rejected(*reasons: str) -> pa.Table:
    rows = [{"row": n, "field": "country", "reason": reason, "payload": "{}"} for n, reason in enumerate(reasons)]
    return pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA)


def test_dead_letters_keep_source_field_and_reason(tmp_path):
    letters = DeadLetters(Home(tmp_path))
    letters.write(rejected("'Mars' is not an ISO code"), "files", NOW)
    (row,) = letters.read().to_pylist()
    assert (row["source"], row["field"], row["reason"]) == ("files", "country", "'Mars' is not an ISO code")
    assert row["received_at"] == NOW


def test_counts_group_by_reason_without_the_bad_value(tmp_path):
    letters = DeadLetters(Home(tmp_path))
    letters.write(rejected("'Mars' is not an ISO code", "'Venus' is not an ISO code", "is required"), "files", NOW)
    assert letters.counts() == {"country is not an ISO code": 2, "country is required": 1}


def test_the_same_batch_written_again_counts_once(tmp_path):
    letters = DeadLetters(Home(tmp_path))
    for _ in range(2):
        letters.write(rejected("is required"), "files", NOW, batch_id="print-1")
    assert len(letters.read()) == 1


def test_nothing_rejected_writes_nothing(tmp_path):
    DeadLetters(Home(tmp_path)).write(rejected(), "files", NOW)
    assert list(tmp_path.iterdir()) == []
    assert DeadLetters(Home(tmp_path)).counts() == {}
