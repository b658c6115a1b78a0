"""What tests of several packages share: one small simulated site, materialized once a session."""

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

from ml.home import Home
from ml.settings import load_site_settings

pytest_plugins = ["tests.skip_policy"]

# Workers of a distributed run inherit a width, and a console that is made at import would keep it for good.
os.environ.pop("COLUMNS", None)

# A busy machine is no fault of what is tested.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

SITE_END = dt.date(2026, 6, 1)
SITE_DAYS = 30
SMALL_SIMULATOR = {"users": 300, "days": SITE_DAYS, "items": 200, "new_items_per_day": 5}
SMALL_SETTINGS = {
    "privacy": {"retention_days": 36_500},  # the site's dates stay, the clock goes on
    "segmentation": {
        "minimum_segment_size": 10,  # of 120 people with evidence, there are six kinds
        "choice": {
            "algorithms": ["kmeans"],
            "segments_max": 6,
            "starts": 2,
            "resamples": 2,
            "null_references": 3,
        },
    },
    "recommenders": {
        "candidates": [
            {"model": "trending", "params": {"half_life_days": 2.0}},
            # a few thousand interactions need more rounds than the demo's
            {"model": "lightfm_warp", "params": {"n_factors": 32, "epochs": 60, "threads": 1}},
        ]
    },
    "decisions": {"blend": {"train_questions": 600}},
    "sequences": {"resamples": 20},
}
LONG_FOLDERS = ("tests/orchestration", "tests/dbt_project")
SAME_HOME = {
    "tests/console": "tests/orchestration",
    "tests/docs": "tests/orchestration",
    "tests/truth": "tests/orchestration",
}  # folders whose tests use the materialized home of another
HOMES = ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folders that take longest come first, so that two processes end at about the same time."""
    items.sort(key=lambda item: share(item.nodeid) not in LONG_FOLDERS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Put back what a test set in the environment: the home that a command names there is its own."""
    before = dict(os.environ)
    try:
        return (yield)
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How several processes share the tests: see `share`."""
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

    return Sharing(config, log)


def share(nodeid: str) -> str:
    """What one process takes whole: a folder whose tests share a dear session fixture, else a file."""
    file = nodeid.partition("::")[0]
    for folder, other in SAME_HOME.items():
        if file.startswith(f"{folder}/"):
            return other
    return next((folder for folder in LONG_FOLDERS if file.startswith(f"{folder}/")), file)


@pytest.fixture(scope="session")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder: few people, and few repetitions of what is only a matter of precision."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "simulator.yaml").write_text(yaml.safe_dump(SMALL_SIMULATOR), encoding="utf-8")
    (folder / "settings.yaml").write_text(yaml.safe_dump(SMALL_SETTINGS), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def materialized_home(tmp_path_factory: pytest.TempPathFactory, small_site: Path) -> Home:
    """A home with a simulated site and every asset built by the command that people use. Never write to it."""
    from typer.testing import CliRunner

    from ml.experiments.definition.planted_experiments import define_planted_experiments
    from ml.sources.simulator import Site, simulate_into_home
    from orchestration.cli import app

    home = Home(tmp_path_factory.mktemp("home"), site=small_site)
    settings = load_site_settings(home).settings.simulator
    first = SITE_END - dt.timedelta(days=SITE_DAYS)
    site = Site(settings, settings.seed, first)
    simulate_into_home(home, site, first, SITE_END)
    define_planted_experiments(site, home)
    with pytest.MonkeyPatch.context() as patch:
        for name in HOMES:
            patch.setenv(name, "restored afterwards")
        patch.setenv("TESSERA_SITE", str(small_site))
        done = CliRunner().invoke(app, ["materialize", "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def changing_home(
    materialized_home: Home, small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Home:
    """A copy of the materialized home to go on with; what commands set in the environment is put back."""
    for name in HOMES:
        monkeypatch.setenv(name, "restored afterwards")
    monkeypatch.setenv("TESSERA_SITE", str(small_site))
    return Home(shutil.copytree(materialized_home.path, tmp_path / "home"), site=small_site)
