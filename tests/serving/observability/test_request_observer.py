"""What requests leave behind: metrics by stage and route, spans, and log lines that name nobody."""

import gzip
import io
import json
import logging

import pytest
from bundles import publish
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient

from serving.application import application
from serving.observability.logs import LOGGERS, log_as_json
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.http_receiver import receiving


def with_settings(config, **sections):
    serving = config.settings.serving
    changed = {name: getattr(serving, name).model_copy(update=update) for name, update in sections.items()}
    settings = config.settings.model_copy(update={"serving": serving.model_copy(update=changed)})
    return ServiceConfig(home=config.home, settings=settings, bundled=config.bundled)


def ask(config, **more):
    with TestClient(application(Tessera(config, seed=1)), raise_server_exceptions=False) as client:
        client.post("/v1/recommendations", json={"user_id": "ann-the-person"}, **more)
        client.get("/v1/users/ann-the-person")
        return client.get("/metrics").text


@pytest.fixture
def lines():
    """What the service logs while the test runs, as JSON."""
    before = {name: (logging.getLogger(name).handlers, logging.getLogger(name).propagate) for name in LOGGERS}
    stream = io.StringIO()
    log_as_json(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for name, (handlers, propagate) in before.items():
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = handlers, propagate


@pytest.fixture
def collector():
    """An OpenTelemetry collector's door: takes spans over HTTP, as the protocol says."""
    spans = []

    def keep(headers, body):
        plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        for resource in ExportTraceServiceRequest.FromString(plain).resource_spans:
            for scope in resource.scope_spans:
                spans.extend(scope.spans)

    with receiving(keep) as port:
        yield f"http://127.0.0.1:{port}/v1/traces", spans


def test_requests_are_logged_as_json_by_pattern_and_without_ids(config, home, lines):
    publish(home.published)
    ask(with_settings(config, logs={"requests": "all"}))
    logged = [line for line in lines() if line["message"] == "request"]
    assert [(line["route"], line["method"], line["status"]) for line in logged] == [
        ("/v1/recommendations", "POST", 200),
        ("/v1/users/{user_id}", "GET", 404),
        ("/metrics", "GET", 200),
    ]
    assert "ann-the-person" not in json.dumps(lines())


def test_a_failure_is_logged_with_its_stack_and_without_what_it_says(config, lines, monkeypatch):
    def broken(*_):
        raise RuntimeError("ann-the-person is at fault")

    monkeypatch.setattr("serving.routes.recommendations.answer_async", broken)
    ask(config)
    (failed,) = [line for line in lines() if line.get("error")]
    assert failed["error"] == "RuntimeError"
    assert failed["stack"][-1].endswith("broken")
    assert "ann-the-person" not in json.dumps(lines())


def test_metrics_tell_stages_routes_and_fallbacks(config, home):
    publish(home.published)
    text = ask(config)
    for stage in ("gather", "score", "care", "explain"):
        assert f'tessera_stage_seconds_count{{stage="{stage}"}}' in text
    assert 'tessera_request_seconds_count{method="GET",route="/v1/users/{user_id}",status="404"}' in text
    assert "ann-the-person" not in text


def test_a_request_is_a_span_with_its_stages_below_and_the_callers_trace_above(config, home, collector):
    endpoint, spans = collector
    publish(home.published)
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    traced = with_settings(config, traces={"exporter": "otlp", "endpoint": endpoint, "share": 0.0})
    ask(traced, headers={"traceparent": f"00-{trace_id}-{parent_id}-01"})
    assert {span.trace_id.hex() for span in spans} == {trace_id}  # of the others, a share of 0 is recorded
    by_name = {span.name: span for span in spans}
    request = by_name.pop("POST /v1/recommendations")
    assert request.parent_span_id.hex() == parent_id
    assert set(by_name) == {"gather", "score", "care", "explain"}
    assert {span.parent_span_id for span in by_name.values()} == {request.span_id}
    facts = {entry.key: entry.value.string_value for entry in request.attributes}
    assert facts["tessera.model_version"] == "champion-1"
    assert "ann-the-person" not in str(spans)


def test_spans_can_go_to_a_file(config, home):
    publish(home.published)
    ask(with_settings(config, traces={"exporter": "file", "share": 1.0}))
    spans = [json.loads(line) for line in (home.path / "logs" / "traces.jsonl").read_text().splitlines()]
    assert {"POST /v1/recommendations", "GET /v1/users/{user_id}", "score"} <= {span["name"] for span in spans}
