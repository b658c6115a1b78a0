import datetime as dt
import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import SourceError, ingest, open_source
from ml.sources.catalogue import Catalogue

NOW = dt.datetime(2024, 7, 2, tzinfo=dt.UTC)
MAPPING = """
event_type: {column: action, words: {buy: purchase, view: page_view}}
occurred_at: {column: when, format: "%d.%m.%Y %H:%M", timezone: Europe/Berlin}
user_id: customer
item_id: sku
value: {column: cents, factor: 0.01}
items:
  item_id: sku
  title: name
  features: [colour]
"""
CSV = """action,when,customer,sku,cents,name,colour,shop
buy,01.07.2024 10:00,7,a1,1250,Lamp,red,Bonn
view,01.07.2024 10:05,7,b2,,Chair,blue,Bonn
steal,01.07.2024 10:06,7,b2,,Chair,blue,Bonn
view,01.07.2024 25:00,7,b2,,Chair,blue,Bonn
view,01.07.2024 10:07,7,b2,many,Chair,blue,Bonn
view,01.07.2024 10:08,,b2,,Chair,blue,Bonn
view,03.07.2024 10:00,7,b2,,Chair,blue,Bonn
view,01.07.2024 10:09
"""


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def mapping(tmp_path):
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING)
    return path


def events_of(home):
    return pa.Table.from_batches(EventLog(home).read()).sort_by("occurred_at").to_pylist()


def letters_of(home):
    rows = DeadLetters(home).read().sort_by("row").to_pylist()
    return [(row["row"], row["field"], row["reason"]) for row in rows]


def workbook(*names):
    """An archive with files of these names, as programs for spreadsheets save."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, "x" * 600)
    return archive.getvalue()


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_mapped_csv_becomes_events_items_and_dead_letters(home, mapping, tmp_path):
    report = ingest(open_source("files", mapping), write(tmp_path / "sales.csv", CSV), home, NOW)
    assert (report.rows, report.accepted, report.items) == (8, 2, 2)
    bought, viewed = events_of(home)
    assert bought["event_type"] == "purchase"
    assert bought["occurred_at"] == dt.datetime(2024, 7, 1, 8, 0, tzinfo=dt.UTC)
    assert bought["value"] == 12.5
    assert (bought["user_id"], bought["item_id"], bought["source"]) == ("7", "a1", "files")
    assert json.loads(bought["properties"]) == {"name": "Lamp", "colour": "red", "shop": "Bonn"}
    assert bought["consent"] == ["analytics", "personalization", "location"]
    assert viewed["value"] is None
    assert letters_of(home) == [
        (2, "action", "'steal' is not a word of the mapping"),
        (3, "when", "'01.07.2024 25:00' is not a time"),
        (4, "cents", "'many' is not a number"),
        (5, "user_id", "user_id or anonymous_id is required"),
        (6, "occurred_at", "'2024-07-03 08:00:00+00:00' lies in the future"),
        (7, "row", "has 2 cells, not 8"),
    ]
    items = Catalogue(home).read().to_pylist()
    assert [(item["item_id"], item["title"], item["features"]) for item in items] == [
        ("a1", "Lamp", ["colour:red"]),
        ("b2", "Chair", ["colour:blue"]),
    ]


def test_the_same_file_twice_changes_nothing(home, mapping, tmp_path):
    file = write(tmp_path / "sales.csv", CSV)
    ingest(open_source("files", mapping), file, home, NOW)
    before = events_of(home), letters_of(home)
    copy = write(tmp_path / "copy.csv", CSV)
    assert ingest(open_source("files", mapping), copy, home, NOW).already_ingested
    assert (events_of(home), letters_of(home)) == before


def test_a_row_has_the_same_id_in_every_file(home, tmp_path):
    line = '{"event_type": "click", "occurred_at": "2024-07-01T08:00:00Z", "user_id": "u"}\n'
    other = '{"event_type": "like", "occurred_at": "2024-07-01T09:00:00Z", "user_id": "u"}\n'
    ingest(open_source("files"), write(tmp_path / "a.jsonl", line), home, NOW)
    ingest(open_source("files"), write(tmp_path / "b.jsonl", other + line), home, NOW)
    ids = [event["event_id"] for event in events_of(home)]
    assert len(ids) == 3
    assert len(set(ids)) == 2


def test_json_lines_keep_nested_and_unknown_fields(home, tmp_path):
    event = {
        "event_id": "e1",
        "event_type": "page_view",
        "occurred_at": "2024-07-01T08:00:00Z",
        "anonymous_id": "a",
        "consent": ["analytics"],
        "screen_width": 390,
        "properties": {"mood": "good"},
        "campaign": {"name": "summer"},
    }
    bad = b'{"event_type": "page_view"\n[1]\n'
    path = write(tmp_path / "log.jsonl.gz", gzip.compress(json.dumps(event).encode() + b"\n" + bad))
    report = ingest(open_source("files"), path, home, NOW)
    (row,) = events_of(home)
    assert (row["event_id"], row["consent"], row["screen_width"]) == ("e1", ["analytics"], 390)
    assert json.loads(row["properties"]) == {"mood": "good", "campaign.name": "summer"}
    assert [(number, field) for number, field, _ in letters_of(home)] == [(1, "row"), (2, "row")]
    assert report.accepted == 1


def test_parquet_columns_keep_their_types(home, tmp_path):
    when = [dt.datetime(2024, 7, 1, 8, tzinfo=dt.UTC)]
    table = pa.table({"event_type": ["rating"], "occurred_at": when, "user_id": [42], "value": [4]})
    pq.write_table(table, tmp_path / "r.parquet")
    ingest(open_source("files"), tmp_path / "r.parquet", home, NOW)
    (row,) = events_of(home)
    assert (row["user_id"], row["value"], row["occurred_at"]) == ("42", 4.0, when[0])


def test_a_window_takes_its_first_moment_and_not_its_last(home, tmp_path):
    lines = "".join(
        json.dumps({"event_type": "click", "occurred_at": f"2024-07-01T0{hour}:00:00Z", "user_id": "u"}) + "\n"
        for hour in (7, 8, 9)
    )
    path = write(tmp_path / "a.jsonl", lines)
    since, until = (dt.datetime(2024, 7, 1, hour, tzinfo=dt.UTC) for hour in (8, 9))
    report = ingest(open_source("files"), path, home, NOW, since=since, until=until)
    assert (report.accepted, report.outside) == (1, 2)
    assert [event["occurred_at"].hour for event in events_of(home)] == [8]


def test_rows_are_numbered_over_the_files_of_a_folder(home, tmp_path):
    folder = tmp_path / "days"
    folder.mkdir()
    good = "event_type,occurred_at,user_id\nclick,2024-07-01T08:00:00Z,u\n"
    write(folder / "1.csv", good)
    write(folder / "2.csv", good + "click,never,u\n")
    report = ingest(open_source("files"), folder, home, NOW)
    assert (report.rows, report.accepted) == (3, 2)
    assert letters_of(home) == [(2, "occurred_at", "'never' is not a time")]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_first_line_of_a_csv_shows_its_delimiter(home, tmp_path, name, delimiter):
    rows = [["event_type", "occurred_at", "user_id", "note"], ["click", "2024-07-01", "ann", '"a, b; c | d"']]
    content = "".join(delimiter.join(row) + "\n" for row in rows).encode()
    file = write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)
    assert ingest(open_source("files"), file, home, NOW).rows == 1
    (event,) = events_of(home)
    assert (event["event_type"], event["user_id"]) == ("click", "ann")
    assert json.loads(event["properties"]) == {"note": "a, b; c | d"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"event_type,occurred_at\n", "a header but no rows"),
        ("a.csv", b"type,time\nclick,1\n", "has no column 'event_type', 'occurred_at'"),
        ("a.csv", b"event_type,occurred_at,user_id\nclick,2024-07-01,u\nclick,2024", "the file ends inside row 1"),
        ("a.jsonl", b"", "the file is empty"),
        ("a.jsonl", b'{"kind": 1}\n', "has no column 'event_type'"),
        (
            "a.jsonl",
            b'{"event_type": "click", "occurred_at": 1, "user_id": "u"}\n{"ev',
            "the file ends inside row 1",
        ),
        ("a.jsonl.gz", gzip.compress(b'{"event_type": "click"}\n' * 99, mtime=0)[:40], "cut short or damaged"),
        ("a.parquet", b"PAR1 and then half of it", "cut short, or no Parquet file"),
        ("a.csv", workbook("docProps/app.xml", "[Content_Types].xml"), "is a workbook of a spreadsheet"),
        ("a.csv", workbook("mimetype", "content.xml"), "is a workbook of a spreadsheet"),
        ("a.xlsx", workbook("xl/workbook.xml"), "is a workbook of a spreadsheet"),
        ("a.csv", b"<html><body>Sign in</body></html>", "is a web page"),
        ("a.xlsx", b"x", "the name does not say which format"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(home, tmp_path, name, content, message):
    with pytest.raises(SourceError, match=message):
        ingest(open_source("files"), write(tmp_path / name, content), home, NOW)
    assert not list(home.path.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("mapping", "hint"),
    [
        (
            {"event_type": "page_view"},
            "If 'page_view' is the value of every row, write `event_type: {value: page_view}`",
        ),
        ({"country": "DE"}, "If 'DE' is the value of every row, write `country: {value: DE}`"),
        ({"user_id": "visitors"}, "Did you mean 'visitor'?"),
        ({"event_type": "kinds", "country": "DE"}, "Did you mean 'kind'? If 'DE' is the value of every row"),
        ({"item_id": {"columns": ["sku", "shop"]}}, "Change the mapping"),
    ],
)
def test_a_column_that_the_file_lacks_may_be_a_value_or_misspelt(home, tmp_path, mapping, hint):
    rules = {"event_type": "kind", "occurred_at": "when", "user_id": "visitor", **mapping}
    path = write(tmp_path / "mapping.yaml", json.dumps(rules).encode())
    file = write(tmp_path / "a.csv", b"kind,when,visitor\nclick,2024-07-01,ann\n")
    with pytest.raises(SourceError) as refused:
        ingest(open_source("files", mapping=path), file, home, NOW)
    assert hint in str(refused.value)


def test_a_missing_file_is_named(home, tmp_path):
    with pytest.raises(SourceError, match="there is no such file"):
        ingest(open_source("files"), tmp_path / "nothing.csv", home, NOW)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour: red", "colour is not a field of an event"),
        ("user_id: {column: a, value: b}", "exactly one of column, columns, value"),
        ("occurred_at: {column: a, unit: hours}", "unit"),
        ("- a", "expected lines such as"),
        ("a: [", "m.yaml:1: no valid YAML"),
        ("items: {colour: a}", "colour is not a field of an item"),
        ("occured_at: a", r"occured_at is not a field of an event\. Did you mean occurred_at\?"),
        ("event_type: a\nuser_id: b", "without a line such as `occurred_at: COLUMN`"),
        ("occurred_at: a", "`event_type: {value: page_view}`, and one such as `user_id: COLUMN` or `anonymous_id"),
        ("event_type: {value: pageview}\noccurred_at: a\nuser_id: b", r"'pageview' .*Did you mean page_view\?"),
        (
            "event_type: {column: a, words: {b: zap}}\noccurred_at: a\nuser_id: b",
            "'zap' is not a type of the event contract. Legal: page_view, .*custom:NAME",
        ),
        (
            "event_type: {column: a, values: {b: click}}",
            r"event_type\.values: there is no such key\. .*words, unit",
        ),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path, text, message):
    with pytest.raises(SourceError, match=message):
        open_source("files", write(tmp_path / "m.yaml", text))


def test_only_files_take_a_mapping(mapping):
    with pytest.raises(SourceError, match="takes no --mapping"):
        open_source("globo", mapping)


def test_an_unknown_source_lists_the_legal_ones():
    with pytest.raises(SourceError, match="Legal: globo, online_retail, files"):
        open_source("excel")
