"""Files as other programs write them: encodings, endings, spellings of times, and files with nothing good."""

import datetime as dt
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import SourceError, ingest, open_source

NOW = dt.datetime(2024, 7, 2, tzinfo=dt.UTC)
HEAD = "event_type,occurred_at,user_id,page_title\n"
ROW = "click,2024-01-01T10:00:00Z,u,Café\n"
LINE = {"event_type": "click", "occurred_at": "2024-01-01T10:00:00Z", "user_id": "u", "page_title": "Café"}


def read(path, tmp_path, name="files"):
    home = Home(tmp_path / "home")
    report = ingest(open_source(name), path, home, NOW)
    events = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA).sort_by("occurred_at").to_pylist()
    letters = DeadLetters(home).read().sort_by("row").to_pylist()
    return report, events, [(letter["row"], letter["field"]) for letter in letters]


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", (HEAD + ROW).encode("latin-1")),
        ("a.csv", (HEAD + ROW).encode("utf-8-sig")),
        ("a.csv", (HEAD + ROW).encode("utf-16")),
        ("a.csv", (HEAD + ROW).encode("utf-16-le")),
        ("a.csv", (HEAD + ROW).replace("\n", "\r\n").encode()),
        ("A.CSV.GZ", gzip.compress((HEAD + ROW).encode(), mtime=0)),
        ("a.csv", gzip.compress((HEAD + ROW).encode("latin-1"), mtime=0)),
        ("a.txt", (HEAD + ROW).replace(",", "\t").encode()),
        ("a.jsonl", b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\n"),
        ("a.jsonl", json.dumps(LINE, ensure_ascii=False).encode("utf-16") + "\n".encode("utf-16-le")),
        ("a.jsonl", (json.dumps(LINE, ensure_ascii=False) + "\n").encode("latin-1")),
        ("A.JSONL.GZ", gzip.compress(json.dumps(LINE).encode() + b"\n", mtime=0)),
        ("a.json", json.dumps(LINE).encode()),
        ("a.json", json.dumps([LINE], indent=2).encode()),
    ],
)
def test_a_file_is_read_in_every_encoding(tmp_path, name, content):
    report, events, letters = read(write(tmp_path / name, content), tmp_path)
    assert (report.accepted, letters) == (1, [])
    assert (events[0]["page_title"], events[0]["user_id"]) == ("Café", "u")


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01 10:00:00 UTC",
        "2024-01-01 10:00:00.123+00", "2024-01-01 11:00:00+01", "2024-01-01T10:00:00.5Z",
        "2024-01-01 10:00:00.123456789", "1704103200", "1704103200123", "Mon, 01 Jan 2024 10:00:00 GMT",
    ],
)  # fmt: skip
def test_a_time_is_read_in_every_spelling(tmp_path, text):
    file = write(tmp_path / "a.csv", f'event_type,occurred_at,user_id\nclick,"{text}",u\n'.encode())
    _, events, letters = read(file, tmp_path)
    assert letters == []
    assert events[0]["occurred_at"].replace(microsecond=0) == dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize("numbers", [[1704103200], [1704103200000], [1704103200000.0], [1704103200000000]])
def test_a_number_of_a_parquet_file_is_the_time_that_its_size_tells(tmp_path, numbers):
    pq.write_table(
        pa.table({"event_type": ["click"], "occurred_at": numbers, "user_id": ["u"]}), tmp_path / "a.parquet"
    )
    _, events, _ = read(tmp_path / "a.parquet", tmp_path)
    assert [event["occurred_at"] for event in events] == [dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)]


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", HEAD + "click,yesterday,u,x\n", [(0, "occurred_at")]),
        ("a.csv", HEAD + "click\n", [(0, "row")]),
        ("a.csv", HEAD + "click\nclick\n", [(0, "row"), (1, "row")]),
        ("a.csv", HEAD + HEAD, [(0, "occurred_at")]),
        ("a.jsonl", "{oops}\n", [(0, "row")]),
        ("a.jsonl", "[1]\n3\n", [(0, "row"), (1, "row")]),
        ("a.jsonl", '{"event_type": "click", "occurred_at": NaN, "user_id": "u"}', [(0, "row")]),
        ("a.jsonl", '{"event_type": "click", "user_id": "\\ud800"}\n', [(0, "row")]),
        ("a.jsonl", '{"event_type": "click", "occurred_at": "soon", "user_id": "u"}\n', [(0, "occurred_at")]),
        (
            "a.jsonl",
            '{"event_type": "nothing", "occurred_at": "2024-01-01", "user_id": "u"}\n',
            [(0, "event_type")],
        ),
    ],
)
def test_a_file_of_which_every_row_is_rejected_is_read_to_its_end(tmp_path, name, content, rows):
    report, events, letters = read(write(tmp_path / name, content.encode()), tmp_path)
    assert (report.accepted, events, letters) == (0, [], rows)
    assert sum(report.rejected.values()) == len(rows)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("google_analytics_4", {"event_name": None}),
        ("mixpanel", {"event": "x", "properties": {"time": "soon", "distinct_id": "u"}}),
        ("universal_analytics", {"visitId": "soon"}),
    ],
)
def test_an_export_of_which_every_row_is_rejected_is_read_to_its_end(tmp_path, name, row):
    report, events, letters = read(write(tmp_path / "a.jsonl", json.dumps(row).encode() + b"\n"), tmp_path, name)
    assert (report.accepted, events, len(letters)) == (0, [], 1)


def test_a_number_that_is_none_rejects_its_row(tmp_path):
    file = write(tmp_path / "a.csv", f"value,{HEAD}NaN,{ROW}5,{ROW}NULL,{ROW}".encode())
    _, events, letters = read(file, tmp_path)
    assert sorted(str(event["value"]) for event in events) == ["5.0", "None"]
    assert letters == [(0, "value")]


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_a_doubled_column_is_named(tmp_path, end):
    path = tmp_path / f"a.{end}"
    if end == "csv":
        write(path, b"event_type,user_id,occurred_at,user_id\nclick,u,2024-01-01,v\n")
    else:
        arrays = [pa.array(["click"]), pa.array(["u"]), pa.array(["2024-01-01"]), pa.array(["v"])]
        pq.write_table(pa.Table.from_arrays(arrays, ["event_type", "user_id", "occurred_at", "user_id"]), path)
    with pytest.raises(SourceError, match="more than one column 'user_id'"):
        read(path, tmp_path)
