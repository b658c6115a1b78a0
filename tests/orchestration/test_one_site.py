"""The command line, Dagster, the service and the Bento read the same definition files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml.home import Home
from ml.site.definition_files import definition_file
from orchestration.bento import gather
from orchestration.cli import app
from orchestration.defs.resources import HomeResource
from orchestration.warehouse.experiment_tables import load_definitions
from serving.decide.rule_book import ExperimentBook, RuleBook
from serving.start import read_service_config
from tests.serving.bundles import publish

SETTINGS = "# Of the shop.\nserving: {default_k: 7}\n"
RULES = "rules:\n  - {id: of-the-shop, then: {content: shop}}\n"
EXPERIMENTS = "version: 1\nglobal_control: {share: 0.125}\n"
SEGMENTS = "own:\n  shoppers: {when: 'purchases > 0', strategy: Thank them.}\n"
EXPECTED = {"default_k": 7, "rules": ["of-the-shop"], "global_control": 0.125}

READ_IN_BENTO = """
import json
from serving.decide.rule_book import ExperimentBook, RuleBook
from serving.start import read_service_config
config = read_service_config()
rules = RuleBook(config.home, config.settings.decisions.rules_file)
experiments = ExperimentBook(config.home, config.settings.experiments.file)
rules.refresh(), experiments.refresh()
print(json.dumps({
    "default_k": config.settings.serving.default_k,
    "rules": [entry.rule.id for entry in rules.rules.rules],
    "global_control": experiments.experiments.global_control.share,
}))
"""


@pytest.fixture(params=["site", "home"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with definition files of a site, or with copies of its own where there is no site."""
    folder = tmp_path / request.param
    folder.mkdir()
    for name, text in {
        "settings": SETTINGS, "rules": RULES, "experiments": EXPERIMENTS, "segments": SEGMENTS
    }.items():  # fmt: skip
        (folder / f"{name}.yaml").write_text(text)
    for name in ("DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TESSERA_SITE", str(folder) if request.param == "site" else "")
    return Home(tmp_path / "home", site=folder if request.param == "site" else None)


def read_by_command_line(home: Home) -> dict[str, object]:
    run = CliRunner().invoke
    (row,) = json.loads(run(app, ["settings", "serving.default_k", "--json"]).output)
    rules = run(app, ["rules", "test", "--slot", "hero"], env={"COLUMNS": "300"}).output
    experiments = run(app, ["experiment", "check"], env={"COLUMNS": "300"}).output
    assert str(definition_file(home, "experiments.yaml")) in experiments
    return {
        "default_k": row["value"],
        "rules": [line.split(":")[0].strip() for line in rules.splitlines() if line.startswith("  ")],
        "global_control": load_definitions(HomeResource().home(), HomeResource().settings()).global_control.share,
    }


def read_by_dagster(home: Home) -> dict[str, object]:
    resource = HomeResource()
    assert resource.home() == home
    rules = RuleBook(resource.home(), resource.settings().decisions.rules_file)
    rules.refresh()
    return {
        "default_k": resource.settings().serving.default_k,
        "rules": [entry.rule.id for entry in rules.rules.rules],
        "global_control": load_definitions(resource.home(), resource.settings()).global_control.share,
    }


def read_by_service(home: Home) -> dict[str, object]:
    config = read_service_config()
    assert config.home == home
    rules = RuleBook(config.home, config.settings.decisions.rules_file)
    experiments = ExperimentBook(config.home, config.settings.experiments.file)
    rules.refresh()
    experiments.refresh()
    return {
        "default_k": config.settings.serving.default_k,
        "rules": [entry.rule.id for entry in rules.rules.rules],
        "global_control": experiments.experiments.global_control.share,
    }


def read_by_bento(home: Home) -> dict[str, object]:
    context = home.path.parent / "context"
    context.mkdir()
    gather(context, home, publish(home.published, "v1"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA")}
    done = subprocess.run(
        [sys.executable, "-c", READ_IN_BENTO],
        cwd=context,
        env=environment | {"PYTHONPATH": str(context), "PWD": str(context)},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("read", [read_by_command_line, read_by_dagster, read_by_service, read_by_bento])
def test_each_program_reads_the_same_definition_files(
    home: Home, read: Callable[[Home], dict[str, object]]
) -> None:
    assert read(home) == EXPECTED


def test_a_bento_finds_files_that_the_settings_name_elsewhere(home: Home, tmp_path: Path) -> None:
    (tmp_path / "rules-of-marketing.yaml").write_text(RULES)
    settings = definition_file(home, "settings.yaml")
    settings.write_text(f"# Kept.\ndecisions: {{rules_file: {tmp_path / 'rules-of-marketing.yaml'}}}\n")
    (tmp_path / "context").mkdir()
    gather(tmp_path / "context", home, publish(home.published, "v1"))
    packed = tmp_path / "context" / "ml" / "site" / "config"
    assert (packed / "settings.yaml").read_text() == "# Kept.\ndecisions: {rules_file: rules-of-marketing.yaml}\n"
    assert (packed / "rules-of-marketing.yaml").read_text() == RULES
    assert sorted(file.name for file in packed.iterdir()) == [
        "experiments.yaml",
        "rules-of-marketing.yaml",
        "settings.yaml",
    ]
