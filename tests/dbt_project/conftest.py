"""The parsed project, an empty home for each test that wants one, and warehouses that several files read."""

from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import Built, parsed_project, warehouse_in
from tests.dbt_project.people import CLICKERS_AND_BUYERS, EVENTS, ITEMS
from tests.dbt_project.usage_histories import PEOPLES_EVENTS


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The project, parsed once for all tests."""
    return parsed_project(tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def warehouse(tmp_path: Path, manifest: Manifest) -> Built:
    """An empty home; `build` makes its warehouse."""
    return warehouse_in(tmp_path / "home", manifest)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """All models, built from a log without events."""
    built = warehouse_in(tmp_path_factory.mktemp("empty") / "home", manifest)
    built.build()
    return built


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Independent people in one log, all models built once. Whoever changes a table puts it back."""
    built = warehouse_in(tmp_path_factory.mktemp("people") / "home", manifest)
    built.describe(**ITEMS)
    built.ingest(*EVENTS, *CLICKERS_AND_BUYERS)
    built.build()
    return built


@pytest.fixture(scope="session")
def used_site(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """The warehouse of a site that people use for five weeks, as `usage_histories` tells. Never write to it."""
    built = warehouse_in(tmp_path_factory.mktemp("usage") / "home", manifest)
    built.ingest(*(row for events in PEOPLES_EVENTS.values() for row in events))
    built.build()
    return built
