"""The online state comes back from the event log."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from ml.home import Home
from ml.settings import load_settings
from orchestration.cli import app
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera

PREFERENCES = {
    "muted": ["sport"],
    "quiet_hours": {"from": 22, "to": 7},
    "opt_out": True,
    "item_impressions_per_day": 3,
}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME"):
        monkeypatch.setenv(name, "restored afterwards")
    config = ServiceConfig(home=Home(tmp_path / "home"), settings=load_settings(), bundled=tmp_path / "no-bento")
    return lambda: TestClient(application(Tessera(config, seed=1)))


def rebuild(home: Path):
    return CliRunner().invoke(app, ["rebuild-state", "--home", str(home)])


@pytest.mark.parametrize("damage", ["deleted", "overwritten"])
def test_preferences_come_back_when_the_state_is_lost(served, tmp_path: Path, damage: str) -> None:
    home = tmp_path / "home"
    with served() as client:
        assert client.put("/v1/users/ann/preferences", json=PREFERENCES).status_code == 200
        assert client.put("/v1/users/ann/preferences", json={"muted": ["food"]}).status_code == 200
        before = client.get("/v1/users/ann").json()["preferences"]
        running = rebuild(home)
    assert running.exit_code == 1
    assert "stop the service" in running.stderr
    state = home / "state.db"
    if damage == "deleted":
        state.unlink()
    else:
        state.write_bytes(b"no database" * 1000)
    done = rebuild(home)
    assert done.exit_code == 0, done.output
    assert "changes were read from the event log" in done.output
    with served() as client:
        after = client.get("/v1/users/ann").json()["preferences"]
    assert before == {**PREFERENCES, "muted": ["food"], "quiet_hours": before["quiet_hours"]}
    assert after == before
