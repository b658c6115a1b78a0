"""Addresses of artifacts that do not name the folder of the home.

MLflow stores the address of each artifact in its database. Addresses of the scheme `mlflow-artifacts` name a place
below the artifacts of whoever reads them, so a home can be moved or copied. MLflow resolves them through a server
only; this module also resolves them for programs that open the database file themselves.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from mlflow.tracking._tracking_service.utils import get_tracking_uri

from ml.home import Home
from ml.integrity.artifact_addresses import SCHEME

SQLITE = "sqlite:///"
_FOLDERS: dict[str, Path] = {}
"""The folders of the artifacts of stores that are no files, by the address of the store."""


def artifact_address(path: str = "") -> str:
    """Return the address of a path below the artifacts."""
    return f"{SCHEME}:/{path}"


def open_artifacts(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactRepository:
    """Open the place of an `mlflow-artifacts` address; MLflow calls this for each such address.

    Args:
        artifact_uri: The address.
        tracking_uri: The store that the address comes from: the file of a database, whose artifacts lie beside it,
            another database, whose artifacts `place_artifacts` has placed, or a server.
        registry_uri: Passed on to MLflow.
    """
    store = tracking_uri or get_tracking_uri()
    folder = artifacts_beside(store) if store.startswith(SQLITE) else _FOLDERS.get(store)
    if folder is None:
        return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
    path = unquote(urlparse(artifact_uri).path).strip("/")
    return LocalArtifactRepository((folder / path).as_uri(), tracking_uri, registry_uri)


def place_artifacts(store: str, folder: Path) -> None:
    """Say where the artifacts of a store lie that is no file, for programs that open the store themselves.

    Args:
        store: The address of the store.
        folder: The folder of its artifacts.
    """
    _FOLDERS[store] = folder


def artifacts_beside(store: str) -> Path:
    """Return the folder of the artifacts of a database file.

    Args:
        store: The address of the file.
    """
    return Home(Path(store.removeprefix(SQLITE)).parent).artifacts
