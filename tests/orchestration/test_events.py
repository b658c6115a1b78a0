"""The event log as Dagster completes it: what Kafka holds is taken in, what is too old is dropped."""

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest
import yaml

from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from orchestration.defs.events import event_log, newly_sealed_parts
from orchestration.defs.resources import HomeResource
from tests.serving.collector.brokers import Brokers


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def brokers(tmp_path, monkeypatch):
    """Brokers that the settings name, with a retention of ten days."""
    brokers = Brokers()
    knobs = {"kafka": {"bootstrap_servers": brokers.address}, "privacy": {"retention_days": 10}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    return brokers


def seal(home, event_id, received_at):
    row = {"event_id": event_id, "event_type": "click", "user_id": "u"}
    row |= {"occurred_at": received_at, "received_at": received_at}
    EventLog(home).seal_table(event_id, pa.Table.from_pylist([row], schema=EVENT_SCHEMA), "collector")


def test_a_run_is_asked_for_takes_in_the_topic_and_drops_what_is_too_old(home, brokers):
    resource = HomeResource(path=str(home.path))

    def asked():
        return newly_sealed_parts(dg.build_sensor_context(), resource)

    assert isinstance(asked(), dg.SkipReason)
    seal(home, "old", dt.datetime.now(dt.UTC) - dt.timedelta(days=12))
    brokers.send("tessera-events", b'{"event_id": "new", "event_type": "click", "user_id": "u"}')
    assert asked().tags["tessera/new_events"] == "2"

    made = dg.materialize([event_log], resources={"home": resource})
    (metadata,) = [event.materialization.metadata for event in made.get_asset_materialization_events()]
    assert metadata["taken_in_from_kafka"].value == 1
    assert metadata["events_expired"].value == 1
    assert [one for batch in EventLog(home).read() for one in batch["event_id"].to_pylist()] == ["new"]

    assert isinstance(asked(), dg.SkipReason)
