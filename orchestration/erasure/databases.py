"""Searches the databases of MLflow and Dagster, where these are no files of the home, for what names a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Engine, LargeBinary, MetaData, String, create_engine, select
from sqlalchemy.types import JSON

from ml.home import Home
from ml.privacy.id_matcher import IdMatcher, with_namespaces
from orchestration.erasure.scan import ScanHit

ROWS_AT_ONCE = 10_000


def scan_databases(
    home: Home, ids: Sequence[str], others: Sequence[str] = (), common: Sequence[str] = ()
) -> list[ScanHit]:
    """Find the tables of the home's databases that hold one of these ids.

    Args:
        home: The home.
        ids: The ids of a person.
        others: The ids of other people that contain one of these, as `find_longer_ids` returns them.
        common: The ids that name something else as well, as `find_common_names` returns them.

    Returns:
        A hit for each table, whose path is the name of the program and of the table, such as `MLflow: tags`.

    Raises:
        sqlalchemy.exc.OperationalError: A database cannot be reached.
    """
    matcher = IdMatcher(with_namespaces(ids), others, common=with_namespaces(common))
    databases = {"MLflow": home.mlflow_database, "Dagster": home.dagster_database}
    return [
        ScanHit(f"{program}: {table}", "decoded")
        for program, address in databases.items()
        if address is not None
        for table in _holding_tables(address, matcher)
    ]


def _holding_tables(address: str, matcher: IdMatcher) -> Iterator[str]:
    engine = create_engine(address)
    try:
        schema = MetaData()
        schema.reflect(engine)
        for name in sorted(schema.tables):
            if any(matcher.is_cell(cell, column) for column, cell in _cells(engine, schema, name)):
                yield name
    finally:
        engine.dispose()


def _cells(engine: Engine, schema: MetaData, name: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a table, each after the name of its column."""
    columns = [
        column for column in schema.tables[name].columns if isinstance(column.type, String | LargeBinary | JSON)
    ]
    if not columns:
        return
    with engine.connect().execution_options(yield_per=ROWS_AT_ONCE) as connection:
        for row in connection.execute(select(*columns)):
            for column, value in zip(columns, row, strict=True):
                if value is not None:
                    yield column.name, _decode(value)


def _decode(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
