"""Compares the tables of two warehouses row by row."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from orchestration.product_files import DBT_PROJECT_FOLDER

MARTS = frozenset(file.stem for file in (DBT_PROJECT_FOLDER / "models" / "marts").glob("*.sql"))


def differing_tables(
    one: Path, other: Path, *, only: Collection[str] = (), but: Collection[str] = ()
) -> list[str]:
    """Return the tables whose rows differ between two DuckDB files, each with the number of such rows.

    Args:
        one: A warehouse.
        other: Another one, whose tables are compared.
        only: Names of the tables; empty for all of them.
        but: Names of tables that are left out.

    Raises:
        ValueError: There is nothing to compare.
    """
    differing, compared = [], 0
    with duckdb.connect() as memory:
        memory.execute(f"attach '{one}' as one (read_only)")
        memory.execute(f"attach '{other}' as other (read_only)")
        tables = memory.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'other' order by all"
        ).fetchall()
        for schema, name in tables:
            if (only and name not in only) or name in but or name.startswith("_"):
                continue
            compared += 1
            pair = [f'{database}."{schema}"."{name}"' for database in ("one", "other")]
            rows = 0
            for left, right in (pair, pair[::-1]):
                query = f"select count(*) from (select * from {left} except all select * from {right})"
                rows += memory.execute(query).fetchall()[0][0]
            if rows:
                differing.append(f"{schema}.{name} ({rows} rows)")
    if not compared:
        raise ValueError(f"{other} has none of the tables")
    return differing
