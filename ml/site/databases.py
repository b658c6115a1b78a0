"""The PostgreSQL databases that hold the records of MLflow and Dagster, where a home's files do not."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from ml.errors import TesseraError

MLFLOW_VARIABLE, DAGSTER_VARIABLE = "TESSERA_MLFLOW_URL", "TESSERA_DAGSTER_URL"
DRIVER = "postgresql+psycopg2"  # SQLAlchemy's own default is one with which Dagster does not work
SCHEMES = ("postgresql", "postgres", DRIVER)


class InvalidDatabaseError(TesseraError, ValueError):
    """An address of a database cannot be used. The message names its variable and never shows the password."""


def read_databases(environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Read TESSERA_MLFLOW_URL and TESSERA_DAGSTER_URL, such as `postgresql://user:password@host:5432/mlflow`.

    Returns:
        The addresses of MLflow's and of Dagster's database with the driver that both programs work with, each None
        where its variable is not set.

    Raises:
        InvalidDatabaseError: An address is not one of PostgreSQL, or both are the same.
    """
    mlflow, dagster = (_read(environment, name) for name in (MLFLOW_VARIABLE, DAGSTER_VARIABLE))
    if mlflow is not None and dagster is not None and _place(mlflow) == _place(dagster):
        raise InvalidDatabaseError(
            f"{MLFLOW_VARIABLE} and {DAGSTER_VARIABLE} name the same database; both programs have a table `runs`,"
            " so give each a database of its own"
        )
    return mlflow, dagster


def _place(address: str) -> tuple[str | None, int, str]:
    """Return host, port and database of an address, whoever signs in."""
    parts = urlsplit(address)
    return parts.hostname, parts.port or 5432, parts.path


def _read(environment: Mapping[str, str], name: str) -> str | None:
    address = environment.get(name)
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.path.strip("/") or not _has_legal_port(parts):
        raise InvalidDatabaseError(f"{name}: write postgresql://user:password@host:5432/database")
    return f"{DRIVER}{address[len(parts.scheme) :]}"


def _has_legal_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
