"""Three real workers over one home: the state is filled once, and an erasure counts for all of them at once."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from bundles import publish

from ml.events.log import EventLog
from ml.events.records import events_from_records

CHECKOUT = Path(__file__).resolve().parents[3]
WORKERS = 3
EVENTS = 600
START_SECONDS = 120
SETTINGS = f"serving:\n  workers: {WORKERS}\n"


@pytest.fixture
def log(home):
    """A log of EVENTS page views of one item by EVENTS / 2 people, whom no state has seen."""
    records = [
        {
            "event_id": f"e{number}", "event_type": "page_view", "user_id": f"u{number // 2}",
            "item_id": f"i{number % 2}", "occurred_at": f"2026-03-01T10:{number % 60:02}:00Z",
            "received_at": "2026-03-01T12:00:00Z",
        }
        for number in range(EVENTS)
    ]  # fmt: skip
    events, _ = events_from_records(records)
    log = EventLog(home)
    with log.ingest("files") as writer:
        writer.write(events.drop_columns(["row"]))
    return log


@pytest.fixture
def service(home, log, tmp_path):
    publish(home.published)
    site = tmp_path / "site"
    site.mkdir()
    (site / "settings.yaml").write_text(SETTINGS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", "serving.service:TesseraService", "--port", str(port)],
        cwd=CHECKOUT,
        env=environment
        | {"TESSERA_HOME": str(home.path), "TESSERA_SITE": str(site), "BENTOML_DO_NOT_TRACK": "True",
           "BENTOML_HOME": str(tmp_path / "bentoml")},
        start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def wait_until_ready(url, process):
    """Wait until many connections in a row are answered, so that every worker has started."""
    until, answered = time.monotonic() + START_SECONDS, 0
    while answered < 10 * WORKERS:
        assert time.monotonic() < until, "the service did not become ready"
        assert process.poll() is None, "the service ended"
        try:
            answered = answered + 1 if call(url, "GET", "/readyz").status_code == 200 else 0
        except httpx.TransportError:
            answered = 0
            time.sleep(0.2)


def call(url, method, path, **arguments):
    """One request over a connection of its own, which any worker may accept."""
    return httpx.request(method, url + path, timeout=30, **arguments)


def test_three_workers_fill_an_empty_store_once_and_forget_an_erased_person_at_once(service, home):
    with sqlite3.connect(home.state_db) as db:
        assert db.execute("select count(*), count(distinct event_id) from changes").fetchone() == (EVENTS, EVENTS)
    for _ in range(4 * WORKERS):
        assert len(call(service, "GET", "/v1/users/u7").json()["recent"]) == 2
        reply = call(service, "POST", "/v1/recommendations", json={"user_id": "ann", "k": 3})
        assert reply.json()["personalized"] is True  # every worker has ann in mind
    for person in ("ann", "u7"):
        assert call(service, "DELETE", f"/v1/users/{person}").status_code == 202
        for _ in range(10 * WORKERS):
            assert call(service, "GET", f"/v1/users/{person}").status_code == 404
            assert call(service, "GET", f"/v1/users/{person}/export").status_code == 404
            reply = call(service, "POST", "/v1/recommendations", json={"user_id": person, "k": 3})
            assert (reply.json()["personalized"], reply.json().get("segment")) == (False, None)
    refused = call(service, "PUT", "/v1/users/ann/preferences", json={"muted": ["food"]})
    assert refused.status_code == 404
