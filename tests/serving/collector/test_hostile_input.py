"""Malformed payloads: never a 5xx, never a stack trace, each rejected event among the dead letters."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ml.events import EVENT_TYPES, FIELD_NAMES
from serving.collector.protocols.segment import CALLS
from serving.collector.protocols.segment_names import NAMES
from tests.serving.collector.collecting import Site, settings_with

# 100,000 payloads: TESSERA_FUZZ_PAYLOADS=100000 pytest tests/serving/collector/test_hostile_input.py
PAYLOADS = int(os.environ.get("TESSERA_FUZZ_PAYLOADS", "1500"))
EACH = 10
SNOWPLOW_NAMES = [
    "e",
    "eid",
    "dtm",
    "stm",
    "uid",
    "duid",
    "sid",
    "url",
    "refr",
    "res",
    "vp",
    "ds",
    "co",
    "cx",
    "ue_pr",
    "ue_px",
]
SEGMENT_NAMES = [
    "type",
    "event",
    "userId",
    "anonymousId",
    "context",
    "properties",
    "timestamp",
    "sentAt",
    "traits",
]

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.sampled_from(["2024-01-01", "9999-12-31T23:59:59Z", "-1", "1e400", "a@b.co", "\x00"]),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def objects(names, **known):
    keys = st.sampled_from(names) | st.text(max_size=8)
    loose = st.dictionaries(keys, values, max_size=6)
    fixed = st.fixed_dictionaries({}, optional=known)
    return st.builds(lambda a, b: {**a, **b}, loose, fixed) | values


plain = objects(
    [*FIELD_NAMES, "sent_at", "latitude", "longitude", "address", "user_agent", "client_hints"],
    event_type=st.sampled_from([*EVENT_TYPES, "custom:x", "nope"]),
    anonymous_id=st.text(max_size=5),
)
snowplow = objects(
    SNOWPLOW_NAMES, e=st.sampled_from(["pv", "pp", "se", "ue", "tr", "ti", "zz"]), duid=st.text(max_size=5)
)
segment = objects(
    SEGMENT_NAMES,
    type=st.sampled_from([*CALLS, "x"]),
    event=st.sampled_from([*NAMES, "x"]),
    userId=st.text(max_size=5),
)
requests = st.one_of(
    st.tuples(st.just("/v1/events"), st.lists(plain, min_size=EACH, max_size=EACH), st.just("events")),
    st.tuples(
        st.just("/com.snowplowanalytics.snowplow/tp2"),
        st.lists(snowplow, min_size=EACH, max_size=EACH), st.just("data"),
    ),
    st.tuples(st.just("/v1/batch"), st.lists(segment, min_size=EACH, max_size=EACH), st.just("batch")),
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("hostile") / "home", settings_with())
    rejected = []
    with site.open() as opened:
        opened.rejected = rejected
        yield opened
    assert len(site.letters()) == sum(rejected)


@settings(max_examples=max(1, PAYLOADS // EACH), deadline=None, suppress_health_check=list(HealthCheck))
@given(requests)
def test_malformed_events_are_answered_one_by_one(client: TestClient, request_):
    path, events, name = request_
    try:
        body = json.dumps({name: events}).encode()
    except UnicodeEncodeError:
        return
    answer = client.post(path, content=body)
    assert answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    if answer.status_code < 300:
        told = answer.json()
        client.rejected.append(len(told["rejected"]))
        assert {row["index"] for row in told["rejected"]} <= set(range(EACH))


@settings(max_examples=max(1, PAYLOADS // 10), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200), st.sampled_from(["/v1/events", "/v1/track", "/com.snowplowanalytics.snowplow/tp2"])
)
def test_bytes_that_are_no_json_are_refused(client: TestClient, body, path):
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 202, 400), answer.text
    if answer.status_code < 300:
        client.rejected.append(len(answer.json()["rejected"]))


@pytest.fixture(scope="module")
def pixel_client(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("pixel") / "home", settings_with()).open() as opened:
        yield opened


@settings(max_examples=max(1, PAYLOADS // 10), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(SNOWPLOW_NAMES), st.text(max_size=20), max_size=6))
def test_queries_of_any_kind_are_answered(pixel_client: TestClient, query):
    try:
        answer = pixel_client.get("/i", params=query)
    except UnicodeEncodeError:
        return
    assert answer.status_code in (200, 400), answer.text
