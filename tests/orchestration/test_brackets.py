"""Names of files and columns with brackets and colons are text in every message, never markup or emoji."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli import app

ODD = "a [item] [b] :cat:"


def output_of(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TESSERA_HOME", "TESSERA_SITE", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


def test_a_folder_of_a_site_is_named_as_it_is() -> None:
    assert output_of("init", ODD).count(ODD) >= 4
    assert f"{ODD}/rules.yaml: " in output_of("rules", "test", "--file", f"{ODD}/rules.yaml")


def test_a_file_of_events_is_named_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / f"{ODD}.csv"
    file.write_text("event_type,occurred_at,user_id\nclick,2024-07-01,u\nclick,[/b],u\n")
    home = tmp_path / f"home {ODD}"
    assert "1 row rejected" in output_of("ingest", "files", "--path", file, "--home", home)
    assert f"{ODD}.csv was ingested before" in output_of("ingest", "files", "--path", file, "--home", home)


def test_columns_and_files_of_a_table_are_named_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / f"{ODD}.csv"
    rows = [f"u{n},i{n * k % 7},x" for n in range(9) for k in (1, 2, 3)]
    file.write_text("\n".join([f"[user],[/item],{ODD}", *rows]))
    fitted = output_of("fit", "--interactions", file, "--model", "popularity", "--out", tmp_path / "[b] model")
    assert f"{ODD}.csv: reading [user] as user, [/item] as item; not used: {ODD}" in fitted
    assert "[b] model: Popularity from" in fitted
