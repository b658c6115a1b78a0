"""Opens the store of MLflow so that nothing in it names the folder of the home."""

from __future__ import annotations

from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import create_engine, inspect

from ml.home import make_folder
from ml.integrity.artifact_addresses import SCHEME
from ml.registry.artifacts import SQLITE, artifact_address, artifacts_beside, open_artifacts

POSTGRESQL = "postgresql"


def use_movable_addresses(tracking_uri: str) -> None:
    """Let clients of this process resolve addresses that do not name a folder, and make a new store use them.

    The experiment that MLflow makes in a new store has its artifacts in the working folder unless it is made here.
    """
    _artifact_repository_registry.register(SCHEME, open_artifacts)
    if tracking_uri.startswith(SQLITE):
        make_folder(artifacts_beside(tracking_uri))
        is_new = not Path(tracking_uri.removeprefix(SQLITE)).exists()
    else:
        is_new = tracking_uri.startswith(POSTGRESQL) and _is_empty(tracking_uri)
    if is_new:
        SqlAlchemyStore(tracking_uri, artifact_address()).delete_experiment(SqlAlchemyStore.DEFAULT_EXPERIMENT_ID)


def _is_empty(database: str) -> bool:
    engine = create_engine(database)
    try:
        return not inspect(engine).has_table("experiments")
    finally:
        engine.dispose()
