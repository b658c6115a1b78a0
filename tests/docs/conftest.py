"""What the examples need: the shared home in the place of a demo's, and the service of that home."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ml.home import Home
from ml.settings import load_site_settings
from orchestration.warehouse.warehouse import Warehouse
from serving.application import application
from serving.demo_site.tracker import install, script
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.benchmarks.simulated_marts import simulate, unit_days
from tests.serving.served import served

PLANNING_USERS, PLANNING_DAYS = 600, 60


@pytest.fixture(scope="session")
def demo_home(materialized_home: Home, small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the shared home and its site, which the examples change.

    The site of the tests ended some time ago, and a demo ends today: its last experiment goes on to run. Its month
    is too short to plan experiments from: the days of its users are those of a longer one.
    """
    folder = tmp_path_factory.mktemp("docs")
    site = Path(shutil.copytree(small_site, folder / "site"))
    definitions = yaml.safe_load((site / "experiments.yaml").read_text(encoding="utf-8"))
    running = definitions["experiments"]["new_font"]
    running["ends_at"] = (dt.datetime.now(dt.UTC) + dt.timedelta(days=12)).isoformat()
    (site / "experiments.yaml").write_text(yaml.safe_dump(definitions, sort_keys=False), encoding="utf-8")
    home = Home(shutil.copytree(materialized_home.path, folder / "home"), site=site)
    Warehouse(home.warehouse).write("user_days", unit_days(simulate(PLANNING_USERS, PLANNING_DAYS, seed=7)))
    return home


@pytest.fixture(scope="session")
def service(demo_home: Home) -> Iterator[str]:
    """The address of the service of that home, which runs without keys."""
    start = ServiceConfig(home=demo_home, settings=load_site_settings(demo_home).settings)
    with served(application(Tessera(start))) as address:
        yield address


@pytest.fixture(scope="session")
def stand_ins(demo_home: Home, service: str) -> dict[str, str]:
    """What pages say of the demo and what stands for it here: the address, and the name of a learned segment."""
    names = Warehouse(demo_home.warehouse).read("select name from segment_profiles order by size desc, name")
    return {"http://127.0.0.1:8000": service, "Evening viewers of sport": str(names["name"][0])}


@pytest.fixture(scope="session")
def environment(demo_home: Home, service: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a reader who has made the demo and activated the virtual environment.

    `curl` fails where the answer is an error, so that an example cannot show one by mistake.
    """
    programs = tmp_path_factory.mktemp("programs")
    (programs / "curl").write_text(
        f'#!/bin/sh\nexec {shutil.which("curl")} --fail-with-body "$@"\n', encoding="utf-8"
    )
    (programs / "curl").chmod(0o755)
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "TESSERA_HOME": str(demo_home.path),
        "TESSERA_SITE": str(demo_home.site),
        "COLUMNS": "120",
    }


@pytest.fixture(scope="session")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Snowplow tracker for browsers, as npm brings it."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    home = Home(tmp_path_factory.mktemp("npm"))
    install(home)
    found = script(home, "tracker.js")
    assert found is not None
    return found
