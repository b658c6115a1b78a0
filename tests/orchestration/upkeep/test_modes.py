"""Nobody but its owner can read a home, whoever writes into it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
SERVE = """
from starlette.testclient import TestClient
from serving.start import read_service_config
from serving.application import application
from serving.tessera import Tessera

with TestClient(application(Tessera(read_service_config()))) as client:
    events = [{"event_type": "page_view", "user_id": "ann"}, {"event_type": "no such type", "user_id": "ann"}]
    assert client.post("/v1/events", json={"events": events}).json()["accepted"] == 1
    assert client.put("/v1/users/ann/preferences", json={"muted": ["sport"]}).status_code == 200
    assert client.delete("/v1/users/bob").status_code == 202
"""


def test_every_file_of_a_home_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "events.csv"
    file.write_text("event_id,event_type,occurred_at,user_id\ne,page_view,2026-05-04T12:00:00Z,ann\nf,x,,ann\n")
    environment = {**os.environ, "TESSERA_HOME": str(home), "PYTHONPATH": str(CHECKOUT)}
    command_line = "from orchestration.cli import main; main()"
    for program in ([SERVE], [command_line, "ingest", "files", "--path", str(file)]):
        done = subprocess.run(
            [sys.executable, "-c", *program],
            env=environment,
            umask=0o022,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    places = [home, *home.rglob("*")]
    assert len(places) > 15
    assert {"state.db", "site.key", "layout.json", "manifest.jsonl"} <= {place.name for place in places}
    open_to_others = {str(place.relative_to(home)): oct(place.stat().st_mode) for place in places
                      if stat.S_IMODE(place.stat().st_mode) & 0o077}  # fmt: skip
    assert open_to_others == {}
