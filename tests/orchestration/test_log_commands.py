"""`tessera log quarantine` and `tessera log replay` from the command line."""

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


def run(home, *arguments):
    return CliRunner().invoke(app, ["log", *arguments, "--home", str(home.path)])


def ids(home):
    return sorted(event_id for batch in EventLog(home).read() for event_id in batch["event_id"].to_pylist())


def test_an_event_is_taken_out_and_brought_back(home):
    result = run(home, "quarantine", "order-1001", "--reason", "sent by a test")
    assert (result.exit_code, ids(home)) == (0, ["order-1002"])
    assert result.output.startswith("1 event taken out of the log.")
    assert run(home, "replay", "--reason", "by a test", "--dry-run").output.startswith(
        "1 events would be replayed."
    )
    assert ids(home) == ["order-1002"]
    assert run(home, "replay", "--reason", "by a test").output.startswith("1 events replayed.")
    assert ids(home) == ["order-1001", "order-1002"]


def test_an_unknown_event_fails_in_one_line(home):
    result = run(home, "quarantine", "zzz", "--reason", "x")
    assert result.exit_code == FAILED
    assert result.stderr.startswith("tessera log: there is no event 'zzz' in ")


def test_counts_say_what_stays(home):
    payload = json.dumps({**EVENT, "event_id": "new", "occurred_at": AT.isoformat(), "country": "Germany"})
    letters = [{"row": 0, "field": "country", "reason": "is wrong", "payload": payload}]
    DeadLetters(home).write(pa.Table.from_pylist(letters, schema=REJECTED_SCHEMA), "files", AT)
    output = run(home, "replay", "--field", "country").output
    assert "0 events replayed." in output
    assert "1  country 'Germany' is no ISO 3166-1 alpha-2 code" in output
