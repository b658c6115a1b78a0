"""Readiness says whether a request would be answered, and names the part that fails."""

import pytest
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.observability import readiness
from serving.state.store import StoreUnavailableError
from serving.tessera import Tessera


@pytest.fixture
def tessera(config, home, monkeypatch):
    monkeypatch.setattr(readiness, "CHECKED_SECONDS", 0.0)
    publish(home.published)
    return Tessera(config)


def ready(client):
    reply = client.get("/readyz")
    return reply.status_code, reply.json().get("error", {}).get("message")


def test_a_store_that_cannot_be_written_is_named(tessera, monkeypatch):
    with TestClient(application(tessera)) as client:
        assert ready(client) == (200, None)
        with monkeypatch.context() as patch:

            def refuse(name, change):
                raise StoreUnavailableError("state.db: disk I/O error")

            patch.setattr(tessera.state.store, "change_value", refuse)
            status, message = ready(client)
            assert (status, message) == (
                503,
                "store: the online state is unavailable: state.db: disk I/O error",
            )
        assert ready(client) == (200, None)


def test_a_failure_anywhere_in_the_chain_is_named(tessera, monkeypatch):
    with TestClient(application(tessera)) as client:
        for part, method, name in (
            (tessera.treatment_assigner, "assign", "canary request for a user: ZeroDivisionError"),
            (tessera.decision_engine, "decide", "bundle v1: smoke test, decision"),
            (tessera.recommendation_engine, "recommend", "bundle v1: smoke test, items for a user"),
            (tessera.champion.scorer, "similarities", "bundle v1: smoke test, similar items"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(part, method, lambda *_, **__: 1 / 0)
                assert ready(client) == (503, f"{name}; the log says why")
        assert ready(client) == (200, None)


def test_probes_between_two_checks_cost_nothing(config, home, monkeypatch):
    publish(home.published)
    tessera, runs = Tessera(config), []
    with TestClient(application(tessera)) as client:
        monkeypatch.setattr(type(tessera.smoke_test), "run", lambda *_: runs.append(1))
        monkeypatch.setattr(readiness.time, "monotonic", lambda: 100.0)
        assert [ready(client)[0] for _ in range(20)] == [200] * 20
        assert len(runs) == 1
