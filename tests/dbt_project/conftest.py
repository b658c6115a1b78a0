"""The parsed project, and an empty warehouse for each test that wants one."""

from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import Built, parsed_project, warehouse_in


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The project, parsed once for all tests."""
    return parsed_project(tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def warehouse(tmp_path: Path, manifest: Manifest) -> Built:
    """An empty home; `build` makes its warehouse."""
    return warehouse_in(tmp_path / "home", manifest)
