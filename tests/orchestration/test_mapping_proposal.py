"""`tessera ingest files` without a mapping: proposes one, writes it, and goes on only if it may."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli import app

CLICKS = "id;time;visitor;article;action\nc1;2026-03-02 08:00:00;ann;lamp-7;view\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME"):
        monkeypatch.setenv(name, "restored afterwards")
    monkeypatch.chdir(tmp_path)
    Path("clicks.csv").write_text(CLICKS)
    return Path("clicks.csv")


def ingest(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ingest", "files", "--path", "clicks.csv", "--home", "home", *options])
    return done.exit_code, " ".join(done.output.split())


def test_nothing_is_taken_in_before_somebody_agrees(file: Path) -> None:
    status, output = ingest()
    assert status == 1
    assert "semicolon" in output
    assert "run `tessera ingest files --path clicks.csv --mapping clicks.mapping.yaml`" in output
    assert not Path("home/events").exists()
    status, output = ingest("--mapping", "clicks.mapping.yaml")
    assert (status, "1 event accepted of 1 row." in output) == (0, True)


def test_yes_takes_the_file_in_and_a_changed_mapping_stays_in_force(file: Path) -> None:
    status, output = ingest("--yes")
    assert (status, "1 event accepted of 1 row." in output) == (0, True)
    mapping = Path("clicks.mapping.yaml")
    mapping.write_text(mapping.read_text().replace("view: page_view", "view: click"))
    status, output = ingest()
    assert status == 0
    assert "which is here already" in output
    assert "view: click" in mapping.read_text()


def test_events_beside_those_of_a_simulated_site_are_warned_of(file: Path) -> None:
    assert "simulated site" not in ingest("--yes")[1]
    Path("home/truth").mkdir()
    file.write_text(CLICKS + "c2;2026-03-02 08:01:00;ann;lamp-7;view\n")
    status, output = ingest("--yes")
    assert status == 0
    assert "home holds the events of a simulated site, which would be counted together with yours" in output


def test_a_file_of_items_alone_adds_items_and_says_nothing_of_events(file: Path) -> None:
    file.write_text("product_id;title;price\nlamp-7;Lamp;9,50\ndesk-2;Desk;120,00\n")
    status, output = ingest("--yes")
    assert status == 0, output
    assert "the file describes items and has no events" in output
    assert output.endswith("2 items added to the catalogue.")
    assert "accepted" not in output


def test_rejected_rows_lead_to_the_mapping_that_may_be_at_fault(file: Path) -> None:
    file.write_text(CLICKS + "c2;yesterday;ann;lamp-7;view\n")
    status, output = ingest("--yes")
    assert status == 0
    assert (
        "correct clicks.mapping.yaml and run the command again: rows that the log has already count once" in output
    )
    mapping = Path("clicks.mapping.yaml")
    mapping.write_text(mapping.read_text().replace("event_id: id", "event_id: [id]"))
    assert "1 event accepted of 2 rows." in ingest()[1]
