"""`tessera init`, `tessera settings` and the option --site, as their user types them."""

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ml.settings import load_settings
from ml.settings.knobs import all_knobs
from orchestration.cli import app, main


def tessera(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SITE", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_init_starts_a_site_once_and_says_what_to_do_next(tmp_path: Path) -> None:
    done = tessera("init", "shop")
    assert done.exit_code == 0, done.output
    assert sorted(file.name for file in (tmp_path / "shop").iterdir()) == [
        "experiments.yaml",
        "rules.yaml",
        "segments.yaml",
        "settings.yaml",
    ]
    assert "tessera demo --site shop" in done.output
    again = tessera("init", "shop")
    assert again.exit_code == 1
    assert "shop has settings.yaml, rules.yaml, segments.yaml, experiments.yaml already" in again.output


def test_init_makes_the_site_that_the_environment_names_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_SITE", "shop")
    assert tessera("settings").exit_code == 2
    done = tessera("init", "shop")
    assert done.exit_code == 0, done.output
    assert tessera("settings").exit_code == 0
    assert os.environ["TESSERA_SITE"] == str(tmp_path / "shop")


def test_settings_prints_every_knob_with_its_origin() -> None:
    listed = json.loads(tessera("settings", "--json").output)
    assert [row["name"] for row in listed] == [knob.name for knob in all_knobs()]
    assert {row["origin"] for row in listed} == {"default"}
    by_name = {row["name"]: row for row in listed}
    assert by_name["ports.dagster"] == {
        "name": "ports.dagster",
        "value": 3000,
        "unit": "TCP port",
        "reason": "Dagster's pages; Dagster's own default.",
        "legal": "at least 1 and at most 65535",
        "default": 3000,
        "origin": "default",
    }
    assert by_name["warehouse.funnels"]["value"]["form"] == {
        "per": "session",
        "window_hours": 24,
        "steps": ["form_start", "form_submit"],
    }
    printed = tessera("settings", "ports").output
    assert "dagster: 3000  TCP port  [default]" in printed
    assert "Dagster's pages; Dagster's own default. Legal: at least 1 and at most 65535." in printed
    assert "schedules" not in printed


def test_set_writes_into_the_site_and_the_knob_then_comes_from_there(tmp_path: Path) -> None:
    tessera("init", "shop")
    done = tessera("settings", "--site", "shop", "--set", "ports.dagster=3001", "--set", "serving.workers=2")
    assert done.exit_code == 0, done.output
    file = tmp_path / "shop" / "settings.yaml"
    line = file.read_text().splitlines().index("  dagster: 3001") + 1
    (row,) = json.loads(tessera("settings", "ports.dagster", "--site", "shop", "--json").output)
    assert (row["value"], row["origin"]) == (3001, f"{file}:{line}")
    assert load_settings(file).serving.workers == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ports.dagstr",), "ports.dagstr: there is no such setting or section; did you mean ports.dagster?"),
        (("--set", "ports.dagster=many"), "ports.dagster: must be a whole number"),
        (("--set", "ports.dagster"), "--set ports.dagster: expected NAME=VALUE, such as ports.dagster=3001"),
    ],
)
def test_what_settings_cannot_do_is_said_in_one_line(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    refused = tessera("settings", *words)
    assert refused.exit_code == 1
    assert message in refused.output
    assert len(refused.output.strip().splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("words", [("rules", "test", "--site", "shop"), ("--site", "shop", "rules", "test")])
def test_the_site_is_chosen_before_or_after_the_command(words: tuple[str, ...], tmp_path: Path) -> None:
    tessera("init", "shop")
    done = tessera(*words)
    assert f"{tmp_path / 'shop' / 'rules.yaml'}: 4 rules, all understood" in done.output
    assert os.environ["TESSERA_SITE"] == str(tmp_path / "shop")


def test_a_site_that_is_not_there_is_refused_with_the_way_to_make_it() -> None:
    refused = tessera("rules", "test", "--site", "nowhere")
    assert refused.exit_code == 2
    assert "`tessera init nowhere` makes one" in " ".join(refused.output.split())


def test_tessera_settings_still_counts_and_is_said_to_retire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text("ports: {service: 8001}\n")
    monkeypatch.setenv("TESSERA_SETTINGS", "mine.yaml")
    monkeypatch.setattr(sys, "argv", ["tessera", "settings", "ports.service", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    output = capfd.readouterr()
    assert json.loads(output.out)[0]["value"] == 8001
    assert "TESSERA_SETTINGS=mine.yaml will not be read for ever" in output.err
