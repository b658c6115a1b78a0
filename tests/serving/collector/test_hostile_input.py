"""Malformed payloads: never a 5xx, never a stack trace, each rejected event among the dead letters."""

import json
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ml.events.contract import EVENT_TYPES, FIELD_NAMES
from serving.collector.app import collector_app
from serving.collector.protocols.segment import CALLS
from serving.collector.protocols.segment_names import NAMES
from serving.collector.request_schemas import SEGMENT_POSTS, SNOWPLOW_POST
from serving.documentation.openapi import openapi
from tests.serving.collector.collecting import Site
from tests.serving.collector.malformed import EACH, Malformed, Watched, malformed_requests
from tests.serving.served import served

PAYLOADS = 2_000  # 100,000 in the benchmark
EXAMPLES = 15  # of each kind that hypothesis and schemathesis draw
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
DESCRIBED = ["/v1/events", "/v1/batch", "/v1/track", "/com.snowplowanalytics.snowplow/tp2", "/i"]
description = schemathesis.openapi.from_dict(openapi()).include(path=DESCRIBED)
CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
)  # fmt: skip
requests = st.one_of(
    st.tuples(st.just("/v1/events"), st.lists(plain, min_size=EACH, max_size=EACH), st.just("events")),
    st.tuples(
        st.just("/com.snowplowanalytics.snowplow/tp2"),
        st.lists(snowplow, min_size=EACH, max_size=EACH), st.just("data"),
    ),
    st.tuples(st.just("/v1/batch"), st.lists(segment, min_size=EACH, max_size=EACH), st.just("batch")),
)  # fmt: skip


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    """What was told rejected during all tests of this file is among the dead letters, each with its reason."""
    site = Site(tmp_path_factory.mktemp("hostile") / "home")
    with served(collector_app(site.home, site.settings)) as url:
        watched = Watched(url)
        yield watched
    watched.compare(site.letters())


def test_thousands_of_broken_payloads_are_answered_one_by_one(collector):
    statuses = Counter(collector.send(request).status_code for request in malformed_requests(PAYLOADS, seed=11))
    assert sum(statuses.values()) == PAYLOADS // EACH
    assert {200, 202, 400, 413, 415} <= set(statuses)
    assert collector.rejections.total() > PAYLOADS / 10


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests)
def test_events_of_any_content_are_answered(collector, request_):
    path, events, name = request_
    answer = collector.send(Malformed(path, json.dumps({name: events}).encode()))
    if answer.status_code < 300:
        assert {row["index"] for row in answer.json()["rejected"]} <= set(range(len(events)))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200), st.sampled_from(sorted({"/v1/events", *SNOWPLOW_POST, *SEGMENT_POSTS})))
def test_bytes_that_are_no_json_are_refused(collector, body, path):
    assert collector.send(Malformed(path, body, {"Content-Type": "application/json"})).status_code in (
        200,
        202,
        400,
    )


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(SNOWPLOW_NAMES), st.text(max_size=20), max_size=6))
def test_queries_of_any_kind_are_answered(collector, query):
    assert collector.send(Malformed("/i", query=query)).status_code in (200, 400)


@description.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_the_description_says(case, collector):
    answer = case.call(base_url=collector.url)
    case.validate_response(answer, checks=CHECKS)
    collector.check(answer.status_code, answer.content)
