"""MLflow and Dagster keep their records in PostgreSQL, and the home the rest."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

pytest.importorskip("dagster_postgres", reason="the extra postgres is not installed")

from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.errors import InvalidInputError
from ml.home import Home
from ml.registry.registry import Registry
from ml.registry.views import CANDIDATES
from ml.settings.operation import PortSettings
from ml.site.definition_files import home_at
from orchestration.commands.home import name_home
from orchestration.defs.champion import champion_model
from orchestration.defs.recommendation import candidate_models
from orchestration.erasure.databases import scan_databases
from orchestration.erasure.places import erase_from_files, verify_erasures
from orchestration.pages.start_page import list_programs
from orchestration.runtime.instance import open_instance, prepare_dagster_home
from tests.conftest import HOMES
from tests.orchestration.test_recommendation import materialize
from tests.postgres_server import PROGRAMS, PostgresServer, run_postgres
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
CHECKOUT = Path(__file__).parents[2]
START_SECONDS = 240
NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


@pytest.fixture
def addresses(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The databases of MLflow and Dagster, empty, to which the environment leads."""
    addresses = {"TESSERA_MLFLOW_URL": server.make_database(), "TESSERA_DAGSTER_URL": server.make_database()}
    for name, address in addresses.items():
        monkeypatch.setenv(name, address)
    for name in HOMES:
        monkeypatch.setenv(name, "restored afterwards")
    return addresses


def test_models_are_trained_and_served_from_records_in_postgres(
    addresses: dict[str, str], changing_home: Home, tmp_path: Path
) -> None:
    (changing_home.path / "mlflow.db").unlink()
    materialize(changing_home, candidate_models, champion_model)
    home = home_at(changing_home.path, os.environ)
    assert not (home.path / "mlflow.db").exists()
    registry = Registry(home.mlflow_uri, home.artifacts)
    champion = registry.champion()
    assert champion is not None
    assert champion.version == 1
    model = registry.download(champion, tmp_path / "model")
    assert list(model.iterdir())
    experiments = {experiment.name: experiment for experiment in registry.client.search_experiments()}
    assert "Default" not in experiments
    assert str(home.path) not in experiments["recommendation"].artifact_location
    (link,) = [page.address for page in list_programs(home, PortSettings()) if page.name == "MLflow"]
    assert f"viewStateShareKey={CANDIDATES}" in link
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ml.registry.server", str(home.path), "--port", str(port)]
    process = subprocess.Popen(command, cwd=CHECKOUT)
    try:
        wait_until(lambda: call(f"http://127.0.0.1:{port}/health"), START_SECONDS)
        version = "registered-models/get?name=recommender"
        shown = json.loads(call(f"http://127.0.0.1:{port}/api/2.0/mlflow/{version}"))["registered_model"]
        assert shown["aliases"] == [{"alias": "champion", "version": "1"}]
        assert b"secret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        process.kill()
        process.wait()


def call(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return answer.read()
    except OSError:
        return b""


@dg.op
def answer() -> int:
    return 42


@dg.job
def small_job() -> None:
    answer()


def test_runs_of_dagster_are_kept_in_postgres(addresses: dict[str, str], tmp_path: Path) -> None:
    home = name_home(tmp_path / "home")
    with open_instance(home) as instance:
        assert small_job.execute_in_process(instance=instance).success
    assert [file for file in home.dagster.rglob("*.db") if "history" in file.parts] == []
    with open_instance(home) as instance:
        (run,) = instance.get_runs()
        assert (run.job_name, run.status) == ("small_job", dg.DagsterRunStatus.SUCCESS)
        assert instance.all_logs(run.run_id)
    text = (home.dagster / "dagster.yaml").read_text()
    assert addresses["TESSERA_DAGSTER_URL"] not in text
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "TESSERA_DAGSTER_URL"}}}


def test_a_home_goes_to_postgres_and_back_and_a_changed_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "home"
    there = Home(path, dagster_database="postgresql://host/dagster")
    file = there.dagster / "dagster.yaml"
    prepare_dagster_home(Home(path))
    assert "storage" not in yaml.safe_load(file.read_text())
    prepare_dagster_home(there)
    assert "storage" in yaml.safe_load(file.read_text())
    prepare_dagster_home(Home(path))
    assert "storage" not in yaml.safe_load(file.read_text())
    changed = file.read_text() + "python_logs: {python_log_level: INFO}\n"
    file.write_text(changed)
    with pytest.raises(InvalidInputError, match=r"dagster\.yaml, which was changed by hand(.|\n)*postgres_url"):
        prepare_dagster_home(there)
    assert file.read_text() == changed
    file.write_text(changed + "storage:\n  postgres:\n    postgres_url: {env: OTHER}\n")
    prepare_dagster_home(there)


def test_a_person_in_a_database_keeps_the_receipt_pending(addresses: dict[str, str], tmp_path: Path) -> None:
    home = name_home(tmp_path / "home")
    registry = Registry(home.mlflow_uri, home.artifacts)
    with registry.start_run("trial", tags={"asked_by": "user-4711"}) as run:
        pass
    with open_instance(home) as instance:
        assert small_job.execute_in_process(instance=instance, tags={"for": "user-4711"}).success
    hits = {hit.path for hit in scan_databases(home, ["user-4711"])}
    assert {"MLflow: tags", "Dagster: run_tags", "Dagster: runs"} <= hits
    assert scan_databases(home, ["user-471"]) == []
    receipts = ErasureReceipts(home)
    receipt = receipts.open(PersonIds(("user-4711",)), NOW)["receipt_id"]
    people = {receipt: ["user-4711"]}
    erase_from_files(home, people, receipts)
    assert verify_erasures(home, people, receipts)[receipt] == 2
    unfinished = {p["place"]: p for p in receipts.receipt(receipt)["places"] if p["status"] != "verified"}
    assert set(unfinished) == {"MLflow", "other files"}
    assert "MLflow: tags" in json.dumps(unfinished["MLflow"])
    registry.client.delete_tag(run.run_id, "asked_by")
    with open_instance(home) as instance:
        for run in instance.get_runs():
            instance.delete_run(run.run_id)
    assert verify_erasures(home, people, receipts)[receipt] == 0
