"""New event files start a run, once."""

import datetime as dt
import json
from pathlib import Path

import dagster as dg
import pyarrow as pa

from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from orchestration.defs.events import newly_sealed_parts
from orchestration.defs.resources import HomeResource


def seal_a_part(home: Home, name: str) -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    row = dict.fromkeys(EVENT_SCHEMA.names) | {"event_id": name, "event_type": "page_view", "user_id": "u"}
    row |= {"occurred_at": now, "received_at": now}
    with EventLog(home).ingest("test", name) as writer:
        writer.write(pa.Table.from_pylist([row], schema=EVENT_SCHEMA))


def test_new_parts_ask_for_one_run_and_the_same_ones_for_none(tmp_path: Path) -> None:
    home, resource = Home(tmp_path), HomeResource(path=str(tmp_path))
    context = dg.build_sensor_context()
    assert isinstance(newly_sealed_parts(context, resource), dg.SkipReason)
    seal_a_part(home, "1")
    seal_a_part(home, "2")
    request = newly_sealed_parts(context, resource)
    assert isinstance(request, dg.RunRequest)
    assert request.tags == {"tessera/new_parts": "2", "tessera/new_events": "2"}
    assert len(json.loads(context.cursor or "")) == 2
    assert isinstance(newly_sealed_parts(context, resource), dg.SkipReason)
    seal_a_part(home, "3")
    assert newly_sealed_parts(context, resource).tags["tessera/new_parts"] == "1"
