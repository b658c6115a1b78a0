"""Addresses of databases in the environment."""

import pytest

from ml.site.databases import InvalidDatabaseError, read_databases

GOOD = "postgresql://ann:pass@db.internal:5432/mlflow"


def test_each_address_is_read_and_may_be_absent() -> None:
    read = "postgresql+psycopg2://ann:pass@db.internal:5432/mlflow"
    assert read_databases({}) == (None, None)
    assert read_databases({"TESSERA_MLFLOW_URL": GOOD, "TESSERA_DAGSTER_URL": ""}) == (read, None)
    for address in (read, GOOD.replace("postgresql", "postgres")):
        assert read_databases({"TESSERA_DAGSTER_URL": address}) == (None, read)


@pytest.mark.parametrize(
    "address",
    [
        "mysql://ann:pass@host/mlflow",
        "postgresql://ann:pass@host",
        "postgresql://ann:pass@host:port/x",
        "/var/pass.db",
    ],
)
def test_another_kind_of_address_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(InvalidDatabaseError, match="TESSERA_MLFLOW_URL: write postgresql") as refusal:
        read_databases({"TESSERA_MLFLOW_URL": address})
    assert "pass@" not in str(refusal.value)


def test_one_database_for_both_is_refused() -> None:
    other = "postgres://bob@db.internal/mlflow"
    with pytest.raises(InvalidDatabaseError, match="name the same database"):
        read_databases({"TESSERA_MLFLOW_URL": GOOD, "TESSERA_DAGSTER_URL": other})
