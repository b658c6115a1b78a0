"""A command that cannot do its work says why and what to do in one line on stderr, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ml.errors import TesseraError
from ml.home import Home
from orchestration.cli import BUSY, FAILED, INTERRUPTED, _describe, app
from orchestration.commands import docs
from orchestration.warehouse.warehouse import Warehouse

CHECKOUT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from orchestration.warehouse.warehouse import Warehouse
with Warehouse(Path(sys.argv[1])).writing("a nightly run"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands set these for the processes that they start."""
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


def failure(*arguments: object, status: int = FAILED) -> str:
    """The one line on stderr of a command that fails."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    return result.stderr.strip()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.parquet"
    home = ("--home", tmp_path / "home")
    assert str(missing) in failure("ingest", "files", "--path", missing, *home)
    assert str(missing) in failure("segment", "--features", missing, "--out", tmp_path / "out", *home)
    assert str(missing) in failure("fit", "--interactions", missing, "--out", tmp_path / "model", *home)
    assert str(missing) in failure(
        "recommend", "--model", missing, "--users", missing, "--out", tmp_path / "a.csv"
    )
    assert str(missing) in failure("experiment", "check", "--path", missing, *home)


def test_a_full_disk_is_named_without_a_number() -> None:
    with pytest.raises(OSError, match="28") as refused, open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    assert _describe(refused.value) == "the disk is full. Free some space and run the command again"


def test_a_file_of_another_format_is_named(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    file.write_text("user_id,item_id", encoding="utf-8")
    assert "table.parquet" in failure("segment", "--features", file, "--out", tmp_path / "out")
    assert "table.parquet" in failure("tune", "--interactions", file, "--out", tmp_path / "model")
    assert "table.parquet" in failure("ingest", "files", "--path", file, "--home", tmp_path / "home")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("", encoding="utf-8")
    for home in (file, file / "home"):
        assert f"{file} is a file, and a home is a folder" in failure("materialize", "--home", home)
        assert f"{file} is a file, and a home is a folder" in failure("verify", "--home", home)
    assert f"{file}: is a file, and a site is a folder" in failure("init", file)
    site = CliRunner().invoke(app, ["docs", "--site", str(file)])
    assert "is a file, and a site is a folder" in " ".join(site.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "command", ["check", "verify", "health", "dead-letters list", "alerts list", "rebuild-state"]
)
def test_a_home_that_is_not_there_is_not_reported_as_sound(command: str, tmp_path: Path) -> None:
    missing = tmp_path / "shop-hmoe"
    assert f"{missing}: there is no such home" in failure(*command.split(), "--home", missing)
    assert not missing.exists()


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["ingest", "clicks.csv"], "Run `tessera ingest files --path clicks.csv`"),
        (["ingest", "files"], "Run `tessera ingest files --path FILE`"),
    ],
)
def test_an_input_without_its_option_says_what_to_type(
    arguments: list[str], advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clicks.csv").write_text("id\n1\n", encoding="utf-8")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert advice in " ".join(result.stderr.replace("│", " ").split())


def test_a_rejection_shows_some_of_the_values(tmp_path: Path) -> None:
    rows = "".join(f"{time},ann,click\n" for time in ("yesterday", "soon", "soon", "then", "later"))
    file = tmp_path / "clicks.csv"
    file.write_text(f"occurred_at,user_id,event_type\n2026-03-02T08:00:00Z,ann,click\n{rows}", encoding="utf-8")
    result = CliRunner().invoke(app, ["ingest", "files", "--path", str(file), "--home", str(tmp_path / "home")])
    assert result.exit_code == 0, result.output
    assert "5 rows rejected, kept as dead letters:" in result.output
    assert "5  occurred_at: is not a time: 'yesterday', 'soon', 'then'" in result.output


def test_version_and_help_answer_to_their_usual_names() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"tessera {version('tessera')}\n"
    assert CliRunner().invoke(app, ["-h"]).output == CliRunner().invoke(app, ["--help"]).output
    assert "Usage:" in CliRunner().invoke(app, ["dead-letters", "list", "-h"]).output


@pytest.mark.parametrize("text", ["ports: {dagster: many}", "ports: [1", "ports: 1\nports: {dagster", "- a list"])
def test_settings_that_cannot_be_used_are_named_with_their_file(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("TESSERA_SETTINGS", str(file))
    assert str(file) in failure("materialize", "--home", tmp_path)


def test_rules_and_experiments_that_are_no_yaml_are_named_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "definitions.yaml"
    file.write_text("rules:\n  - {id: a\n", encoding="utf-8")
    assert f"{file}:3" in failure("rules", "test", "--file", file)
    assert "definitions.yaml:3" in failure("experiment", "check", "--path", file)
    assert str(file) in failure("ingest", "files", "--path", file, "--mapping", file)


def test_an_empty_home_says_how_to_get_events_and_tables(tmp_path: Path) -> None:
    line = failure("materialize", "--home", tmp_path)
    for way in ("tessera ingest", "tessera simulate", "tessera demo"):
        assert way in line
    assert "run `tessera materialize` first" in failure("docs", "--home", tmp_path)
    assert "run `tessera materialize` first" in failure(
        "audience", "inactive", "--out", tmp_path / "a.csv", "--home", tmp_path
    )


def test_a_missing_table_is_named_with_what_to_run(tmp_path: Path) -> None:
    Warehouse(Home(tmp_path).warehouse).write("sessions", pa.table({"session_id": ["a"]}))
    line = failure("experiment", "interleaving", "--home", tmp_path)
    assert "no table answers" in line
    assert "tessera materialize" in line


def test_a_column_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "ratings.parquet"
    pq.write_table(pa.table({"[/who]": ["a"], "item_id": ["b"]}), file)
    line = failure("evaluate", "--train", file, "--test", file, "--model", "popularity")
    assert "ratings.parquet: no column is called like the user" in line
    assert "Its columns are [/who], item_id. Add --user" in line


def test_a_warehouse_at_work_is_named_with_its_holder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    Warehouse(home.warehouse).write("sessions", pa.table({"session_id": ["a"]}))
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.warehouse)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout is not None
        first.stdout.readline()
        line = failure("docs", "--home", tmp_path, status=BUSY)
    finally:
        first.kill()
        first.wait()
    assert f"a nightly run (process {first.pid} on" in line


def test_ctrl_c_ends_with_the_status_of_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(home: object) -> Home:
        raise KeyboardInterrupt

    monkeypatch.setattr(docs, "home_of", interrupt)
    assert "stopped" in failure("docs", "--home", tmp_path, status=INTERRUPTED)


def test_a_defect_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(home: object) -> Home:
        raise ValueError("a defect")

    monkeypatch.setattr(docs, "home_of", fail)
    result = CliRunner().invoke(app, ["docs", "--home", str(tmp_path)])
    assert isinstance(result.exception, ValueError)
    assert not isinstance(result.exception, TesseraError)


@pytest.mark.parametrize(
    "arguments",
    [
        ["experiment", "assign", "welcome", "ann", "--at", "yesterday"],
        ["experiment", "assign", "welcome", "ann", "--context", "[1]"],
        ["rules", "test", "--file", "missing.yaml"],
        ["ingest", "files", "--path", "a.csv", "--since", "2017-13-01"],
        ["simulate", "--globo", "missing"],
        ["materialize", "--job", "hourly"],
    ],
)
def test_wrong_usage_has_a_status_of_its_own(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert "Traceback" not in result.output


def test_the_installed_command_ends_with_the_same_line_and_status(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", "docs", "--home", str(tmp_path)]
    ended = subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | {"COLUMNS": "80"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == FAILED
    assert ended.stdout == ""
    assert "run `tessera materialize` first." in ended.stderr
    assert ended.stderr.count("\n") == 1
