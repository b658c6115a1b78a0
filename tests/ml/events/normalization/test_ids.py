"""Ids that name nobody, and ids that were taken for numbers: in records, in tables and in files."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.events.log import EventLog
from ml.events.normalization.fields import restore_ids
from ml.events.normalization.ids import (
    EMPTY_WORDS,
    ID_FIELDS,
    STRANGERS,
    clean_id,
    is_placeholder,
    number_as_id,
    restore_id,
)
from ml.events.validation import validate_records
from ml.home import Home
from ml.sources import ingest, open_source

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
ZERO = "00000000-0000-0000-0000-000000000000"
PLACEHOLDERS = ["null", "NULL", "undefined", "NaN", "None", "[object Object]", ZERO, " null ", "(null)"]


def event(**fields):
    return {"event_id": "e", "event_type": "page_view", "occurred_at": "2026-05-04T11:00:00Z"} | fields


@pytest.mark.parametrize("word", [*PLACEHOLDERS, "anonymous", "guest"])
def test_a_word_for_nobody_is_no_id(word):
    valid, _ = validate_records([event(user_id=word, anonymous_id="device")], NOW)
    (row,) = valid.accepted.to_pylist()
    assert (row["user_id"], row["anonymous_id"]) == (None, "device")
    assert dict(valid.placeholders) == {f"user_id {word.strip()!r}": 1}


@pytest.mark.parametrize("word", PLACEHOLDERS)
def test_an_event_of_nobody_is_rejected_and_so_is_an_identify_of_nobody(word):
    events = [event(user_id=word), event(event_type="identify", user_id=word, anonymous_id="device")]
    valid, _ = validate_records(events, NOW)
    assert len(valid.accepted) == 0
    assert [row["field"] for row in valid.rejected.to_pylist()] == ["user_id", "user_id"]
    assert "names nobody" in valid.rejected["reason"][1].as_py()


@pytest.mark.parametrize("field", ["session_id", "item_id", "anonymous_id"])
def test_other_ids_are_cleaned_alike(field):
    valid, _ = validate_records([event(user_id="u", **{field: "undefined"})], NOW)
    assert valid.accepted[field].to_pylist() == [None]


@pytest.mark.parametrize("word", sorted(EMPTY_WORDS | STRANGERS))
@pytest.mark.parametrize("spelled", [str, str.upper, str.title, " {} ".format, '"{}"'.format, "\u2003'{}'".format])
def test_every_word_for_nobody_is_known_in_any_spelling(word, spelled):
    assert is_placeholder("user_id", spelled(word))
    assert is_placeholder("item_id", spelled(word)) is (word in EMPTY_WORDS)


SPELLED = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", " ", '"', "\u2003'"]),
    st.sampled_from(sorted(EMPTY_WORDS | STRANGERS)).flatmap(lambda word: st.sampled_from([word, word.upper()])),
    st.sampled_from(["", "\t", "'", "able"]),
)
NUMBERS = st.from_regex(r"-?[0-9]{1,3}\.[0-9]{1,3}(E[0-9]{1,2})?", fullmatch=True)


@given(st.sampled_from(ID_FIELDS), st.lists(st.none() | SPELLED | NUMBERS | st.text(max_size=5)))
def test_a_column_is_cleaned_as_its_ids_are_one_by_one(field, ids):
    table, _, _ = restore_ids(pa.table({field: pa.array(ids, pa.string())}))
    assert table[field].to_pylist() == [None if text is None else clean_id(field, text) for text in ids]


@pytest.mark.parametrize("text", ["0", "nullable", "none@shop.example", "NA", "guest7", "1.5", "v1.0.0", "1e5"])
def test_an_id_that_only_looks_odd_stays(text):
    assert not is_placeholder("user_id", text)
    assert restore_id(text) == text


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("12345678.0", "12345678"),
        ("12345679.00", "12345679"),
        ("1.2345678E7", "12345678"),
        ("1.0E10", "10000000000"),
    ],
)
def test_an_id_loses_the_fraction_that_it_never_had(text, whole):
    assert restore_id(text) == whole


def test_numbers_keep_all_their_digits_as_ids():
    assert [number_as_id(n) for n in (12345678.0, 12345679.0, 2.0**53, 1.5)] == [
        "12345678",
        "12345679",
        "9007199254740992",
        "1.5",
    ]


def ingested(path, tmp_path):
    home = Home(tmp_path / "home")
    report = ingest(open_source("files"), path, home, NOW)
    rows = pa.Table.from_batches(EventLog(home).read()).sort_by("event_id").to_pylist()
    return report, [(row["event_id"], row["user_id"], row["anonymous_id"], row["item_id"]) for row in rows]


def test_ids_of_a_parquet_file_with_missing_numbers(tmp_path):
    table = {
        "event_id": ["a", "b", "c"],
        "event_type": ["page_view"] * 3,
        "occurred_at": ["2026-05-04T11:00:00Z"] * 3,
        "anonymous_id": ["x", "y", "z"],
        "user_id": pa.array([12345678.0, 12345679.0, float("nan")]),
        "item_id": pa.array([10000001.0, None, 1.0]),
    }
    pq.write_table(pa.table(table), tmp_path / "events.parquet")
    _, events = ingested(tmp_path / "events.parquet", tmp_path)
    assert events == [
        ("a", "12345678", "x", "10000001"),
        ("b", "12345679", "y", None),
        ("c", None, "z", "1"),
    ]


def test_ids_of_a_csv_file_that_pandas_wrote(tmp_path):
    (tmp_path / "events.csv").write_text(
        "event_id,event_type,occurred_at,anonymous_id,user_id,item_id\n"
        "a,page_view,2026-05-04T11:00:00Z,x,12345678.0,10000001.0\n"
        "b,page_view,2026-05-04T11:00:00Z,y,NULL,\\N\n"
        "c,page_view,2026-05-04T11:00:00Z,NULL,NULL,\n"
    )
    report, events = ingested(tmp_path / "events.csv", tmp_path)
    assert events == [("a", "12345678", "x", "10000001"), ("b", None, "y", None)]
    assert dict(report.rejected) == {"user_id: user_id or anonymous_id is required": 1}
    assert report.placeholders["user_id 'NULL'"] == 2


def test_ids_of_json_lines(tmp_path):
    lines = [event(event_id="a", user_id=12345678.0, item_id=10000001.0), event(event_id="b", user_id=12345679)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, events = ingested(tmp_path / "events.jsonl", tmp_path)
    assert events == [("a", "12345678", None, "10000001"), ("b", "12345679", None, None)]
