"""Erases people from the warehouse: their rows, and the old bytes that DuckDB keeps in freed blocks."""

from __future__ import annotations

import os
from pathlib import Path

from ml.privacy.id_matcher import IdMatcher
from orchestration.warehouse.warehouse import open_duckdb

TABLES = """
    select columns.schema_name, columns.table_name, list(columns.column_name)
    from duckdb_columns() as columns
    inner join duckdb_tables() as tables using (schema_name, table_name)
    where columns.data_type = 'VARCHAR' and not columns.internal
    group by 1, 2 order by 1, 2
"""


def erase_from_warehouse(path: Path, matcher: IdMatcher) -> int:
    """Delete the rows with one of the ids in a text column of any table, and return their number.

    Ids that name something else as well, such as an item, count only in columns that hold people.

    By then dbt has rebuilt the tables that derive from the log. The rows that are left are in tables that Python
    writes, such as segments. The caller holds the writer's lock.
    """
    removed = 0
    with open_duckdb(path) as warehouse:
        for schema, table, columns in warehouse.sql(TABLES).fetchall():
            condition = " or ".join(f'"{column}" in (select unnest(?::varchar[]))' for column in columns)
            deleted = warehouse.execute(
                f'delete from "{schema}"."{table}" where {condition}',
                [sorted(matcher.ids_in(column)) for column in columns],
            ).fetchone()
            removed += int(deleted[0]) if deleted else 0
    return removed


def rewrite_warehouse(path: Path) -> None:
    """Copy all tables into a new file in place of the old one, in whose free blocks deleted rows remain."""
    fresh = path.with_name(f"{path.stem}.fresh.duckdb")
    fresh.unlink(missing_ok=True)
    with open_duckdb(path) as warehouse:
        warehouse.execute("checkpoint")
        warehouse.execute(f"attach '{fresh}' as fresh")
        warehouse.execute(f'copy from database "{path.stem}" to fresh')
        warehouse.execute("detach fresh")
    os.replace(fresh, path)
