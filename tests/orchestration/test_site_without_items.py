"""A site whose events name no item is built as far as it can be, and one line says what is missing."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ml.bundle import current_version
from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from ml.registry.registry import Registry
from orchestration.cli import app
from orchestration.warehouse.warehouse import Warehouse
from tests.conftest import HOMES

START = dt.datetime(2026, 5, 4, 8, tzinfo=dt.UTC)


def views(people: int) -> pa.Table:
    """Each person reads two pages on each of three days; none is an item."""
    rows = [
        dict.fromkeys(EVENT_SCHEMA.names)
        | {
            "event_id": f"{person}-{day}-{page}",
            "event_type": "page_view",
            "occurred_at": START + dt.timedelta(days=day * (1 + person % 4), minutes=7 * person + page),
            "received_at": START + dt.timedelta(days=20),
            "user_id": f"u{person}",
            "page_url": f"https://example.org/{(person + page) % 9}",
            "consent": ["analytics", "personalization"],
            "source": "test",
        }
        for person in range(people)
        for day in range(3)
        for page in range(2)
    ]
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


def test_a_site_without_items_has_all_but_recommendations(
    small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home", site=small_site)
    with EventLog(home).ingest("test", "views") as writer:
        writer.write(views(60))
    for name in HOMES:
        monkeypatch.setenv(name, "restored afterwards")
    monkeypatch.setenv("TESSERA_SITE", str(small_site))
    done = CliRunner().invoke(app, ["materialize", "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    warnings = [line for line in done.output.splitlines() if line.startswith("! ")]
    said = [line for line in warnings if "no recommender was trained" in line]
    assert len(said) == 1, warnings
    assert "`item_id`" in said[0]
    warehouse = Warehouse(home.warehouse)
    assert warehouse.read("select count(*) as n from user_segments").to_pylist() == [{"n": 60}]
    assert warehouse.read("from candidate_models").num_rows == 0
    assert Registry(home.mlflow_uri).champion() is None
    version = current_version(home.published)
    assert version is not None
    manifest = json.loads((home.published / version / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model_version"] is None
