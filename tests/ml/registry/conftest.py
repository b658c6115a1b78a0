"""A registry for each test, on a copy of one empty store of MLflow: making its tables takes seconds."""

import shutil
from pathlib import Path

import pytest

from ml.registry.registry import Registry


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a store that nothing was logged to."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    assert Registry(f"sqlite:///{database}").client.search_experiments() == []
    return database


@pytest.fixture
def registry(tmp_path: Path, empty_store: Path) -> Registry:
    """An empty registry in the test's folder."""
    return Registry(f"sqlite:///{shutil.copy(empty_store, tmp_path / 'mlflow.db')}")
