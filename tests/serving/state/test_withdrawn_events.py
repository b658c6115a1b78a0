"""What is taken out of the log by hand leaves the memory of a running service, in every worker."""

from dataclasses import replace

import pytest
from bundles import publish
from starlette.testclient import TestClient
from typer.testing import CliRunner

from orchestration.cli import app
from serving.application import application
from serving.tessera import Tessera
from tests.waiting import wait_until

ALL = ["analytics", "personalization", "location"]


@pytest.fixture
def quick(config):
    """A service that seals its parts and looks at the quarantine several times a second."""
    publish(config.home.published)
    settings = config.settings
    serving = settings.serving.model_copy(update={"bundle_check_seconds": 0.1})
    collector = settings.collector.model_copy(update={"part_age_seconds": 0.2})
    return replace(config, settings=settings.model_copy(update={"serving": serving, "collector": collector}))


def send(client, event_type, event_id, **fields):
    event = {"event_type": event_type, "event_id": event_id, "user_id": "ann", "consent": ALL, **fields}
    answer = client.post("/v1/events", json={"events": [event]})
    assert answer.json()["accepted"] == 1, answer.text


def recent(client):
    return [entry["item_id"] for entry in client.get("/v1/users/ann").json()["recent"]]


def quarantine(home, event_id):
    done = CliRunner().invoke(app, ["log", "quarantine", event_id, "--reason", "a test", "--home", str(home.path)])
    assert done.exit_code == 0, done.output


def test_an_event_that_is_taken_out_leaves_every_worker_and_stays_out(quick):
    first = Tessera(quick)
    with TestClient(application(first)) as client, TestClient(application(Tessera(quick))) as other:
        for number in (1, 2, 3):
            send(client, "page_view", f"view-{number}", item_id=f"i{number}", session_id="s")
        assert recent(client) == recent(other) == ["i3", "i2", "i1"]
        opened = first.state.activity.version
        quarantine(quick.home, "view-2")
        wait_until(lambda: recent(client) == recent(other) == ["i3", "i1"])
        assert first.state.activity.version == opened  # nothing of the others counts twice
        assert first.state.activity.find_visitor("ann").opened == 2
        send(client, "page_view", "view-4", item_id="i4", session_id="s")
        assert recent(client) == recent(other) == ["i4", "i3", "i1"]
    quarantine(quick.home, "view-3")  # while no service runs
    with TestClient(application(Tessera(quick))) as client:
        assert recent(client) == ["i4", "i1"]


def test_a_statement_that_is_taken_out_holds_no_longer(quick):
    with TestClient(application(Tessera(quick))) as client:
        send(client, "page_view", "view", item_id="i1")
        request = {"user_id": "ann", "k": 3}
        assert client.post("/v1/recommendations", json=request).json()["personalized"] is True
        send(client, "consent_withdrawn", "withdrawal")
        assert client.post("/v1/recommendations", json=request).json()["personalized"] is False
        quarantine(quick.home, "withdrawal")
        wait_until(lambda: client.post("/v1/recommendations", json=request).json()["personalized"] is True)
        assert client.put("/v1/users/ann/preferences", json={"muted": ["food"]}).status_code == 200
        send(client, "preference", "muting", properties={"muted": ["sport"]})
        quarantine(quick.home, "muting")
        wait_until(lambda: client.get("/v1/users/ann").json()["preferences"] == {"muted": ["food"]})
