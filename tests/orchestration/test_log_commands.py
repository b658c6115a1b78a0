"""`tessera log` and `tessera dead-letters` from the command line."""

import csv
import datetime as dt
import json

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.records import REJECTED_SCHEMA
from ml.events.validation import validate_records
from ml.home import Home
from orchestration.cli import FAILED, app

AT = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
EVENT = {"event_id": "order-1001", "event_type": "purchase", "user_id": "ann", "occurred_at": AT, "value": 3.0}


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")
    home = Home(tmp_path / "home")
    with EventLog(home).ingest("files") as writer:
        writer.write(validate_records([EVENT, {**EVENT, "event_id": "order-1002"}], AT)[0].accepted)
    return home


def run(home, group, *arguments):
    return CliRunner().invoke(app, [group, *arguments, "--home", str(home.path)])


def ids(home):
    return sorted(event_id for batch in EventLog(home).read() for event_id in batch["event_id"].to_pylist())


def write_letters(home, *faults):
    """One letter for each field, value and reason, of an event that is good otherwise."""
    letters = []
    for number, (field, value, reason) in enumerate(faults):
        record = {**EVENT, "event_id": f"new-{number}", "occurred_at": AT.isoformat(), field: value}
        letters.append({"row": number, "field": field, "reason": reason, "payload": json.dumps(record)})
    DeadLetters(home).write(pa.Table.from_pylist(letters, schema=REJECTED_SCHEMA), "files", AT)


def test_an_event_is_taken_out_and_brought_back(home):
    result = run(home, "log", "quarantine", "order-1001", "--reason", "sent by a test")
    assert (result.exit_code, ids(home)) == (0, ["order-1002"])
    assert result.output.startswith("1 event taken out of the log.")
    dry = run(home, "dead-letters", "replay", "--reason", "by a test", "--dry-run")
    assert dry.output.startswith("1 event would go into the log.")
    assert ids(home) == ["order-1002"]
    assert run(home, "dead-letters", "replay", "--reason", "by a test").output.startswith(
        "1 event went into the log."
    )
    assert ids(home) == ["order-1001", "order-1002"]


def test_an_unknown_event_fails_in_one_line(home):
    result = run(home, "log", "quarantine", "zzz", "--reason", "x")
    assert result.exit_code == FAILED
    assert result.stderr.startswith("tessera log: there is no event 'zzz' in ")


def test_a_replay_says_what_stays(home):
    write_letters(home, ("country", "Germany", "is wrong"))
    output = run(home, "dead-letters", "replay", "--field", "country").output
    assert output.startswith("0 events went into the log.")
    assert "1  country 'Germany' is not an ISO 3166-1 alpha-2 code" in output


def test_rejected_rows_are_listed_without_what_steers_a_terminal(home):
    write_letters(
        home, ("country", "Germany", "'\x1b[2JGermany' is not a code"), ("value", "x", "is not a number")
    )
    output = run(home, "dead-letters", "list", "--field", "country").output
    assert "2026-03-02 12:00:00  files  country '\\x1b[2JGermany' is not a code" in output
    assert '"event_id": "new-0"' in output
    assert output.endswith("1 of 1 row.\n")
    assert "\x1b" not in output


def test_rejected_rows_are_counted_by_what_is_asked(home):
    write_letters(
        home,
        ("country", "Germany", "'Germany' is not a code"),
        ("country", "Peru", "'Peru' is not a code"),
        ("value", "x", "bad"),
    )
    run(home, "log", "quarantine", "order-1001", "--reason", "a test")
    output = run(home, "dead-letters", "count").output
    lines = [line.split() for line in output.splitlines()]
    assert lines[1][:6] == ["2", "country", "is", "not", "a", "code"]
    assert output.endswith("4 rows in 3 groups.\n")
    by_source = run(home, "dead-letters", "count", "--by", "source").output.splitlines()
    assert [line.split()[:2] for line in by_source[1:3]] == [["3", "files"], ["1", "by"]]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_rejected_rows_are_exported_and_no_cell_is_a_formula(home, tmp_path, suffix):
    write_letters(home, ("country", "=1+1", "=HYPERLINK(1)"))
    out = tmp_path / f"letters.{suffix}"
    assert run(home, "dead-letters", "export", "--out", str(out)).output.startswith("1 row written")
    if suffix == "csv":
        (row,) = csv.DictReader(out.open(encoding="utf-8", newline=""))
        assert row["reason"] == "'=HYPERLINK(1)"
    else:
        (row,) = map(json.loads, out.read_text().splitlines())
        assert row["reason"] == "=HYPERLINK(1)"
    assert json.loads(row["payload"])["country"] == "=1+1"
    assert (row["field"], row["source"]) == ("country", "files")


def test_an_export_to_another_format_names_the_legal_ones(home, tmp_path):
    result = run(home, "dead-letters", "export", "--out", str(tmp_path / "letters.xlsx"))
    assert result.exit_code == FAILED
    assert "the suffix must be .csv or .jsonl" in result.stderr


def test_rows_of_a_file_are_repaired_by_rules(home):
    """The names are the file's own, the amount has a decimal comma, and the time a format of its own."""
    row = {"id": "k-1", "when": "02.03.2026 08:30", "user_id": "ann", "price": "1.012,50"}
    letter = {"row": 3, "field": "when", "reason": "'02.03.2026 08:30' is not a time", "payload": json.dumps(row)}
    DeadLetters(home).write(pa.Table.from_pylist([letter], schema=REJECTED_SCHEMA), "files", AT)
    rules = ["--rename", "id=event_id", "--rename", "when=occurred_at", "--rename", "price=value"]
    rules += ["--convert", "value=decimal-comma", "--convert", "occurred_at=time:%d.%m.%Y %H:%M"]
    rules += ["--set", "event_type=purchase"]
    output = run(home, "dead-letters", "repair", "--reason", "is not a time", *rules).output
    assert output.startswith("1 event went into the log.")
    events = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    (event,) = [event for event in events if event["event_id"] == "k-1"]
    assert (event["value"], event["occurred_at"]) == (1012.5, dt.datetime(2026, 3, 2, 8, 30, tzinfo=dt.UTC))
    assert len(DeadLetters(home).read()) == 0


@pytest.mark.parametrize(
    ("rules", "status", "message"),
    [
        ([], 2, "no rule is given"),
        (["--set", "country"], 2, "'country' is not of the form FIELD=VALUE"),
        (["--set", "country=DE", "--set", "country=AT"], 2, "'country' is given twice"),
        (["--set", "contry=DE"], FAILED, "'contry' is not a field that a repair may write. Legal: event_id"),
        (["--set", "consent=[]"], FAILED, "'consent' is not a field that a repair may write"),
        (["--rename", "who=authority"], FAILED, "'authority' is not a field that a repair may write"),
        (["--set", "value=much"], FAILED, "value cannot be set to 'much'"),
        (["--convert", "value=money"], FAILED, "value cannot be converted to 'money'. Legal: number"),
    ],
)
def test_a_rule_that_cannot_be_says_why(home, rules, status, message):
    result = run(home, "dead-letters", "repair", *rules)
    assert result.exit_code == status
    assert message in " ".join(result.stderr.replace("│", " ").split())
