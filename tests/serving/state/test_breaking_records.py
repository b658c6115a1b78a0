"""No record that reaches a fold stops the service, at live time or at a restart."""

import datetime as dt
import json

import pyarrow as pa
import pytest
from bundles import AS_OF, publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ml.decisions.activity.event_log_changes import read_changes
from ml.decisions.activity.state_change import StateChange
from ml.decisions.ranker.training import Replay, draw_openings
from ml.events.contract import AUTHORITIES, CONSENT_PURPOSES, EVENT_TYPES
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.events.records import events_from_records
from serving.application import application
from serving.observability.metrics import QUARANTINED
from serving.state.initial_fill import fill_if_empty
from serving.state.sqlite_store import SqliteStore
from serving.tessera import Tessera

T = AS_OF.timestamp()
BROKEN = StateChange("ann", "consent_withdrawn", T, detail="5", event_id="old-version")


def is_sound(client):
    """Whether every route about people and items answers without an error of the service."""
    person = {"user_id": "ann", "slot": "top", "k": 3}
    replies = [
        client.post("/v1/recommendations", json=person),
        client.post("/v1/decisions", json={"anonymous_id": "x", "slot": "top"}),
        client.get("/v1/users/ann"),
        client.get("/v1/items/i3/similar"),
        client.get("/v1/onboarding", params={"user_id": "x"}),
        client.get("/v1/online-learning"),
        client.get("/readyz"),
    ]
    return [reply.status_code for reply in replies] == [200] * len(replies)


def counted(where):
    return QUARANTINED.labels(where)._value.get()


def test_a_breaking_change_in_the_store_is_set_aside_once_and_the_next_one_counts(config, home):
    publish(home.published)
    store = SqliteStore(home.state_db)
    fill_if_empty(store, EventLog(home), 100, Quarantine(home))
    store.append([BROKEN, StateChange("ann", "page_view", T, "i9")])
    store.close()
    before = counted("service")
    for _ in range(2):  # the second start reads the same store
        with TestClient(application(Tessera(config))) as client:
            assert is_sound(client)
            assert [entry["item_id"] for entry in client.get("/v1/users/ann").json()["recent"]] == ["i9"]
    (entry,) = Quarantine(home).entries()
    assert (entry.event_id, entry.where, entry.event) == ("old-version", "service", None)
    assert entry.reason == "TypeError: argument of type 'int' is not iterable"
    assert counted("service") - before == 1


def test_a_subscriber_that_fails_keeps_neither_the_others_nor_memory_from_the_change(config, home):
    publish(home.published)
    tessera, taken = Tessera(config), []
    with TestClient(application(tessera)) as client:
        tessera.state.subscribe(lambda change: 1 / 0)
        tessera.state.subscribe(taken.append)
        view = {"event_id": "e1", "event_type": "page_view", "user_id": "zoe", "item_id": "i1"}
        assert client.post("/v1/events", json={"events": [view]}).json()["accepted"] == 1
        assert [change.event_id for change in taken] == ["e1"]
        assert client.get("/v1/users/zoe").json()["recent"][0]["item_id"] == "i1"
    assert [entry.reason for entry in Quarantine(home).entries()] == ["ZeroDivisionError: division by zero"]


def test_an_event_in_the_log_that_cannot_be_read_is_set_aside_when_the_state_is_rebuilt(config, home):
    publish(home.published)
    record = {"occurred_at": T, "received_at": T, "user_id": "zoe"}
    rows, _ = events_from_records(
        [
            {**record, "event_id": "list", "event_type": "consent_withdrawn", "properties": {}},
            {**record, "event_id": "nobody", "event_type": "page_view", "item_id": "i1"},
            {**record, "event_id": "good", "event_type": "page_view", "item_id": "i2"},
        ]
    )
    rows = rows.drop_columns(["row"])
    for name, values in {"properties": ["[1]", None, None], "user_id": ["zoe", None, "zoe"]}.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), [values])
    tessera = Tessera(config)
    with EventLog(home).ingest("files") as writer:
        writer.write(rows)
    with TestClient(application(tessera)) as client:
        assert is_sound(client)
        assert [entry["item_id"] for entry in client.get("/v1/users/zoe").json()["recent"]] == ["i2"]
    assert {entry.event_id for entry in Quarantine(home).entries()} == {"list", "nobody"}


def test_a_breaking_change_is_set_aside_in_publishing_and_the_examples_after_it_are_made(home):
    views = [StateChange("zoe", "page_view", T + n, f"i{n % 3}", "s") for n in range(9)]
    quarantine = Quarantine(home)
    with_broken, without = [BROKEN, *views], views
    counts = [
        len(list(Replay(changes, None, draw_openings(changes, 9, 1), quarantine).openings(0)))
        for changes in (with_broken, without)
    ]
    assert [entry.where for entry in quarantine.entries()] == ["publishing"]
    assert counts[0] == counts[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
NAMES = [
    "purposes",
    "slot",
    "campaign",
    "items",
    "unit_id",
    "opt_out",
    "muted",
    "interests",
    "quiet_hours",
    "agrees",
]
IDS = st.sampled_from(["ann", "x", "i1", "", " ", "🦊", "a" * 256, "user:ann", "-1", "null", "a/b"]) | st.text(
    max_size=20
)
MOMENTS = st.floats(T - 9e8, T) | st.sampled_from([946684800.0, T, T + 60])
EVENTS = st.fixed_dictionaries(
    {"event_type": st.sampled_from([*EVENT_TYPES, "custom:any"])},
    optional={
        "event_id": IDS, "user_id": IDS, "anonymous_id": IDS, "session_id": IDS, "item_id": IDS,
        "recommendation_id": IDS, "experiment_id": IDS, "variant": IDS, "country": st.sampled_from(["DE", "BR"]),
        "region": IDS, "device_type": st.sampled_from(["mobile", "desktop"]), "occurred_at": MOMENTS,
        "properties": st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), JSON, max_size=5),
        "consent": st.lists(st.sampled_from(CONSENT_PURPOSES), max_size=3) | JSON,
        "value": st.floats() | JSON, "authority": st.sampled_from(AUTHORITIES),
    },
)  # fmt: skip


def test_no_event_of_any_type_with_any_content_makes_an_error_of_the_service(config, home):
    publish(home.published)
    tessera = Tessera(config, clock=lambda: dt.datetime.now(dt.UTC))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.lists(EVENTS, min_size=10, max_size=40))
    def send(events):
        client.portal.call(tessera.collector.record, events)
        assert is_sound(client)

    with TestClient(application(tessera)) as client:
        send()
        accepted = tessera.collector.counts.accepted
        assert accepted > 200
        assert Quarantine(home).entries() == []  # the door and the reading agree about every type
    home.state_db.unlink()
    with TestClient(application(Tessera(config))) as client:  # the log alone
        assert is_sound(client)


@pytest.mark.parametrize("name", ["slot", "campaign"])
def test_texts_of_another_type_count_as_absent(config, home, name):
    publish(home.published)
    with TestClient(application(Tessera(config))) as client:
        event = {"event_type": "impression", "user_id": "ann", "item_id": "i1", "properties": {name: {"a": 1}}}
        assert client.post("/v1/events", content=json.dumps({"events": [event]})).json()["accepted"] == 1
        assert is_sound(client)
    assert Quarantine(home).entries() == []


def test_a_mark_of_a_flood_in_a_broken_text_stops_no_other_event(home):
    records = [
        {"event_id": f"e{number}", "event_type": "page_view", "occurred_at": AS_OF, "anonymous_id": visitor}
        for number, visitor in enumerate(("broken", "made-up", "real"))
    ]
    events, _ = events_from_records(records)
    texts = pa.array(['{"suspected": ', '{"suspected": "a flood"}', '{"slot": "suspected"}'])
    events = events.set_column(events.column_names.index("properties"), "properties", texts)
    events = events.set_column(events.column_names.index("authority"), "authority", pa.array(["browser"] * 3))
    quarantine = Quarantine(home)
    assert [change.user for change in read_changes(events, quarantine, "service")] == ["anonymous:real"]
    assert [entry.event_id for entry in quarantine.entries()] == ["e0"]
