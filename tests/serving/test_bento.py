"""Third depth: a Bento, served on its own in an empty folder, with no checkout beside it."""

import os
import socket
import subprocess
import sys
import time

import httpx
import pytest
from bundles import publish

from ml.home import Home
from orchestration.bento import build_bento, served_requirements


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url, process, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the service ended"
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail("the service did not become ready")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("build"))
    tag = build_bento(home, publish(home.published, "v1"))
    assert build_bento(home, home.published / "v1") == tag  # a second build of one bundle changes nothing
    empty = tmp_path_factory.mktemp("empty")
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TESSERA", "PYTHONPATH"))
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "bentoml", "serve", tag, "--host", "127.0.0.1", "--port", str(port)],
        cwd=empty,
        env={**environment, "PWD": str(empty), "BENTOML_HOME": str(home.bentoml), "BENTOML_DO_NOT_TRACK": "True"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield url, empty
    finally:
        process.terminate()
        process.wait(30)


def test_a_bento_answers_learns_and_keeps_its_state_where_it_was_started(served):
    url, folder = served
    with httpx.Client(base_url=url) as http:
        first = http.post("/v1/recommendations", json={"user_id": "bob", "k": 3}).json()
        assert len({item["item_id"] for item in first["items"]} & {"i6", "i7", "i8", "i9"}) == 2  # food, as bob
        taken = http.post(
            "/v1/events", json={"events": [{"event_type": "page_view", "user_id": "bob", "item_id": "i6"}]}
        )
        assert (taken.status_code, taken.json()) == (202, {"accepted": 1, "rejected": []})
        second = http.post("/v1/recommendations", json={"user_id": "bob", "k": 10}).json()
        assert "i6" not in {item["item_id"] for item in second["items"]}
        assert "tessera" in http.get("/metrics").text
    assert (folder / ".tessera" / "state.db").exists()
    assert list((folder / ".tessera" / "events" / "open").iterdir())


def test_a_bento_needs_neither_dagster_nor_dbt_nor_duckdb():
    names = {line.split("==")[0] for line in served_requirements().splitlines()}
    assert {"bentoml", "numpy", "pyarrow", "starlette", "pydantic"} <= names
    assert not {"tessera", "dagster", "dbt-core", "duckdb", "mlflow", "great-expectations", "torch"} & names
