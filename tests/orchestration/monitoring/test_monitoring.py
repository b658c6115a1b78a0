"""Monitoring in a home: the asset and its table, the sensor's floor and ceiling, the commands and their status."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from ml.home import Home
from ml.monitoring.alarm_table import alarm_table
from ml.monitoring.journal import OPENED, TRAINED, Entry, Journal
from ml.settings import Settings
from orchestration.cli import app
from orchestration.defs.monitoring import alarms, no_alarm_is_open, training_after_alarms
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.warehouse.expectations import validate
from orchestration.warehouse.monitoring_expectations import MONITORING_SUITES
from orchestration.warehouse.warehouse import Warehouse

FIRST = dt.datetime(2026, 3, 2)
DAYS, CHANGE = 60, 50
FACTS = {"subject": "taste", "measure": "views", "dimension": "category", "slice": "home", "severity": "medium",
         "since": "2026-05-01T00:00:00+00:00", "detected_at": "2026-05-03T00:00:00+00:00", "certainty": "sure",
         "runbook": "docs/monitoring.md#taste", "follows": ""}  # fmt: skip


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SITE", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


def tessera(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def open_alarm(home: Home, at: dt.datetime, subject: str = "taste") -> None:
    Journal(home).append(
        [Entry(at.isoformat(), OPENED, f"{subject}-views-home", "Taste moved", FACTS | {"subject": subject})]
    )


def watched_home(folder: Path) -> Home:
    """A home whose page views lose their item on Safari on the fiftieth day."""
    rows = [
        {
            "hour": FIRST + dt.timedelta(days=day, hours=hour), "event_type": "page_view", "dimension": dimension,
            "slice": slice_, "events": events, "devices": events,
            "with_item_id": 0 if day >= CHANGE and lost else events,
        }
        for day, hour in itertools.product(range(DAYS), range(24))
        for dimension, slice_, events, lost in (
            ("everything", "", 12, False), ("browser", "Chrome", 8, False), ("browser", "Safari", 4, True)
        )
    ]  # fmt: skip
    home = Home(folder)
    warehouse = Warehouse(home.warehouse)
    folder.mkdir(exist_ok=True)
    warehouse.write("event_hours", pa.Table.from_pylist(rows))
    names = ("hour", "slot", "model_version", "audience", "answers", "clicked_answers")
    types = (pa.timestamp("us"), pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64())
    warehouse.write("answer_hours", pa.schema(list(zip(names, types, strict=True))).empty_table())
    names = ("date", "category", "audience", "views", "familiar_views", "viewers")
    types = (pa.date32(), pa.string(), pa.string(), pa.int64(), pa.int64(), pa.int64())
    warehouse.write("category_days", pa.schema(list(zip(names, types, strict=True))).empty_table())
    return home


def test_a_run_finds_the_alarm_writes_the_table_and_plots_it(tmp_path: Path) -> None:
    home = watched_home(tmp_path / "home")
    resource = HomeResource(path=str(home.path))
    resources = {"home": resource, "warehouse": WarehouseResource(home=resource)}
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [alarms, no_alarm_is_open], resources=resources, instance=instance, selection=[alarms]
        )
    assert run.success
    (row,) = Warehouse(home.warehouse).read("alarms").to_pylist()
    assert (row["subject"], row["measure"], row["slice"]) == ("field", "item_id", "Safari")
    assert row["since"].date() == (FIRST + dt.timedelta(days=CHANGE)).date()
    (event,) = run.asset_materializations_for_node("alarms")
    assert "![figure]" in event.metadata["field"].value
    assert "item_id is missing on the browser Safari" in event.metadata["alarms"].value


def test_counts_that_do_not_add_up_are_named(tmp_path: Path) -> None:
    warehouse = Warehouse(watched_home(tmp_path / "home").warehouse)
    warehouse.write("alarms", alarm_table([]))
    (suite,) = MONITORING_SUITES

    def faults() -> dict[str, float | None]:
        findings = validate(suite, warehouse.read(suite.figures), Settings().warehouse)
        return {finding.figure: finding.value for finding in findings if not finding.passed}

    assert faults() == {}
    hours = warehouse.read("event_hours").to_pylist()
    hours[0] |= {"events": 13}
    hours[1] |= {"with_item_id": 9}
    warehouse.write("event_hours", pa.Table.from_pylist(hours))
    assert faults() == {"hours_that_do_not_add_up": 1, "fields_beyond_events": 1}


def test_an_alarm_since_the_last_training_starts_one(tmp_path: Path) -> None:
    home, resource = Home(tmp_path), HomeResource(path=str(tmp_path))
    now = dt.datetime.now(dt.UTC)

    @dg.asset(name="champion_model")
    def champion() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        open_alarm(home, now + dt.timedelta(minutes=5), subject="field")
        open_alarm(home, now + dt.timedelta(minutes=5), subject="quality")
        never_trained = training_after_alarms(context, resource)
        assert isinstance(never_trained, dg.SkipReason)
        assert "start the first training yourself" in str(never_trained.skip_message)
        dg.materialize([champion], instance=instance)
        too_soon = training_after_alarms(context, resource)
        assert isinstance(too_soon, dg.SkipReason)
        assert "too young" in str(too_soon.skip_message)
        (tmp_path / "site").mkdir()
        settings = tmp_path / "site" / "settings.yaml"
        settings.write_text("alerts: {training_least_days: 1.0e-9}\n", encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TESSERA_SITE", str(tmp_path / "site"))
            request = training_after_alarms(context, resource)
        assert isinstance(request, dg.RunRequest)
        assert request.tags["tessera/reason"] == "alarms quality-views-home"
        assert Journal(home).entries()[-1].what == TRAINED


def test_an_alarm_is_listed_acknowledged_and_then_passed_over(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path))
    assert "No alarm is open." in tessera("alerts", "list", *home).output
    open_alarm(Home(tmp_path), dt.datetime.now(dt.UTC))
    assert "Taste moved" in tessera("alerts", "list", *home).output
    before = tessera("health", *home)
    assert before.exit_code == 1
    assert len(before.output.splitlines()) == 10
    assert "look  alarms       1 open: taste-views-home" in before.output
    refused = tessera("alerts", "acknowledge", "nothing", *home)
    assert refused.exit_code == 2
    assert "taste-views-home" in refused.output
    assert tessera("alerts", "acknowledge", "taste-views-home", *home).exit_code == 0
    assert "ok    alarms       none needs attention; 1 are acknowledged" in tessera("health", *home).output


def test_a_test_message_needs_an_address_that_takes_it(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path))
    refused = tessera("alerts", "test", *home)
    assert refused.exit_code == 2
    assert "alerts.addresses_file names no file" in " ".join(refused.output.split())
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "settings.yaml").write_text("alerts: {addresses_file: who.txt}\n", encoding="utf-8")
    (tmp_path / "who.txt").write_text("json://127.0.0.1:9\n", encoding="utf-8")
    site = ("--site", str(tmp_path / "site"))
    unheard = tessera("alerts", "test", *home, *site)
    assert unheard.exit_code == 1
    assert "Address 1 (json:…) did not accept the message." in unheard.output
    assert "ok    alerts       1 address is notified" in tessera("health", *home, *site).output
