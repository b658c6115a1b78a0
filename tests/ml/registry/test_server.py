"""MLflow's pages and API, served by one process that `python -m ml.registry.server` starts."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ml.home import Home
from ml.registry.artifacts import artifact_address
from ml.registry.registry import Registry
from ml.registry.views import CANDIDATES, candidates_view
from tests.chromium import chromium, watched_page
from tests.waiting import wait_until

CHECKOUT = Path(__file__).parents[3]
START_SECONDS = 240


def call(address: str, host: str = "127.0.0.1", **body: object) -> tuple[int, bytes]:
    """Status and content of a GET, or of a POST where there is a body; status 0 while nobody answers."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(address, data, {"Content-Type": "application/json", "Host": host})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, b""


@pytest.fixture
def served(registry: Registry, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """The process, its address, and the id of a run with an artifact."""
    client = registry.client
    run = client.create_run(client.create_experiment("candidates", artifact_address("candidates")))
    registry.save_view("candidates", CANDIDATES, candidates_view("ndcg_at_10", [], []))
    client.log_text(run.info.run_id, "Ninety-nine lamps.", "note.txt")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ml.registry.server", str(Home(tmp_path).path), "--port", str(port)]
    clean = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=clean)
    try:
        wait_until(lambda: call(f"http://127.0.0.1:{port}/health")[0], START_SECONDS)
        yield process, f"http://127.0.0.1:{port}", run.info.run_id
    finally:
        process.kill()
        process.wait()


def test_one_process_shows_runs_and_artifacts_to_this_machine_alone(
    served: tuple[subprocess.Popen[bytes], str, str], tmp_path: Path
) -> None:
    process, address, run_id = served
    assert psutil.Process(process.pid).children() == []
    assert b"<html" in call(f"{address}/")[1]
    runs = json.loads(call(f"{address}/api/2.0/mlflow/runs/search", experiment_ids=["1"])[1])["runs"]
    assert [run["info"]["run_id"] for run in runs] == [run_id]
    note = call(f"{address}/get-artifact?path=note.txt&run_uuid={run_id}")
    assert note == (200, b"Ninety-nine lamps.")
    made = json.loads(call(f"{address}/api/2.0/mlflow/experiments/create", name="trials")[1])["experiment_id"]
    shown = json.loads(call(f"{address}/api/2.0/mlflow/experiments/get?experiment_id={made}")[1])
    assert str(tmp_path) not in shown["experiment"]["artifact_location"]
    assert call(f"{address}/api/2.0/mlflow/experiments/get?experiment_id=1", host="elsewhere.example")[0] == 403
    with chromium() as browser, watched_page(browser) as (page, requested, _):
        page.goto(address)
        page.get_by_text("candidates").first.wait_for()
        assert f"#/experiments/1/runs?viewStateShareKey={CANDIDATES}" in page.url
        page.goto(f"{address}/#/models")
        page.get_by_text("Registered Models").first.wait_for()
        assert page.get_by_text("Prompts").count() == 0  # the menu of language models
        assert page.get_by_role("dialog").count() == 0
        page.goto(f"{address}/#/experiments/1/traces")
        page.get_by_text("Start tracing").first.wait_for()
        page.wait_for_timeout(1000)
        assert page.get_by_placeholder("Ask a question").count() == 0
        assert page.get_by_text("collects usage data").count() == 0
        assert [one for one in requested if not one.startswith((address, "data:", "blob:"))] == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) in {0, -signal.SIGTERM}
