"""The DuckDB file between dbt and Python: one writer at a time, every connection closed when its call returns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa

from ml.errors import DamagedFileError, TesseraError
from ml.integrity.digests import first_line
from ml.integrity.named_lock import LockedError, NamedLock
from orchestration.warehouse.table_comments import described_tables

_TABLE_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_CONFLICTING_PID = re.compile(r"\(PID (\d+)\)")
_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")
_ORPHAN_GRACE_SECONDS = 10


WAREHOUSE_REMEDY = "delete the file and run `tessera materialize`, which builds it anew from the event log"


class WarehouseBusyError(TesseraError):
    """The warehouse belongs to another run or program at the moment."""


class WarehouseMissingError(TesseraError, FileNotFoundError):
    """Nothing has been materialized in this home yet."""


class WarehousePathError(TesseraError, ValueError):
    """DuckDB cannot work in a folder of this name."""


class Warehouse:
    """Tables in and out of the DuckDB file at `path`, as Arrow."""

    def __init__(self, path: Path) -> None:
        if "," in str(path.parent):
            raise WarehousePathError(
                f"{path.parent} has a comma in its name, which DuckDB takes for the end of a path: choose another "
                "folder by --home or TESSERA_HOME"
            )
        self.path = path
        self.lock = NamedLock(path.with_suffix(".lock"))

    @contextmanager
    def writing(self, doing: str, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the writer's lock. `doing` is what others are told while they are kept out.

        Raises `WarehouseBusyError` when another run has the lock or another program has the file open.
        """
        self.take(doing, wait_seconds)
        try:
            yield
        finally:
            self.lock.release()

    def take(self, doing: str, wait_seconds: float = 0) -> None:
        """Take the writer's lock until `lock.release()`; `writing` is the form for a block."""
        try:
            self.lock.acquire(doing, wait_seconds)
        except LockedError as error:
            raise WarehouseBusyError(
                f"The warehouse is in use by {error.holder or 'another process'}. "
                "One run at a time may use it: wait for that one to end, or stop it, and start again."
            ) from error
        self._end_orphan()

    def read(self, table_or_sql: str) -> pa.Table:
        """A table's rows, or a query's.

        Raises `WarehouseMissingError` where it was not materialized yet: the whole file, or the table.
        """
        query = f"from {table_or_sql}" if _TABLE_NAME.fullmatch(table_or_sql) else table_or_sql
        if not self.path.exists():
            raise WarehouseMissingError(f"No warehouse at {self.path} yet: run `tessera materialize` first.")
        with self.connect(read_only=True) as connection:
            try:
                return connection.sql(query).to_arrow_table()
            except duckdb.CatalogException as error:
                missing = _MISSING_TABLE.search(str(error))
                if missing is None:
                    raise
                raise WarehouseMissingError(
                    f"{self.path} has no table {missing.group(1)} yet: run `tessera materialize` first."
                ) from error

    def write(self, table: str, rows: pa.Table) -> None:
        """Replace `table` by `rows`, with the comments of its description in the dbt project, if it has one.

        The same call twice leaves the same table.
        """
        if not _TABLE_NAME.fullmatch(table):
            raise ValueError(f"{table!r} is not a table name: lower case letters, digits and _ only.")
        with self.writing(f"writing {table}"), self.connect(read_only=False) as connection:
            connection.register("incoming_rows", rows)
            connection.execute(f"create or replace table {table} as from incoming_rows")
            if description := described_tables().get(table):
                for statement in description.statements(table, rows.column_names):
                    connection.execute(statement)

    def tables(self) -> list[str]:
        """Names of the tables and views in the main schema; empty before the first materialization."""
        if not self.path.exists():
            return []
        names = self.read(
            "select table_name from information_schema.tables where table_schema = 'main' order by 1"
        )
        return [str(name) for name in names["table_name"].to_pylist()]

    @contextmanager
    def connect(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for the block.

        Raises:
            WarehouseBusyError: Another program has the file open.
            DamagedFileError: The file cannot be opened or read.
        """
        try:
            connection = open_duckdb(self.path, read_only=read_only)
        except duckdb.IOException as error:
            if pid := _conflicting_pid(error):
                raise WarehouseBusyError(
                    f"{self.path} is open in process {pid} ({_describe(pid)}). "
                    "DuckDB admits no second program while one may write: close that one and start again."
                ) from error
            raise self._damage("the warehouse cannot be opened", error) from None
        except duckdb.Error as error:
            raise self._damage("the warehouse cannot be opened", error) from None
        try:
            yield connection
        except (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException) as error:
            raise self._damage("a table is unreadable", error) from None
        finally:
            connection.close()

    def _end_orphan(self) -> None:
        """End the dbt process that a killed run left behind; its parent is dead, since the lock is ours."""
        if not self.path.exists():
            return
        try:
            duckdb.connect(self.path).close()
        except duckdb.IOException as error:
            pid = _conflicting_pid(error)
            if pid is None:
                raise self._damage("the warehouse cannot be opened", error) from None
            if not _is_orphaned_dbt(pid):
                return
            orphan = psutil.Process(pid)
            orphan.terminate()
            try:
                orphan.wait(_ORPHAN_GRACE_SECONDS)
            except psutil.TimeoutExpired:  # DuckDB's log makes whole again what a kill interrupts
                orphan.kill()
                orphan.wait(_ORPHAN_GRACE_SECONDS)
        except duckdb.Error as error:
            raise self._damage("the warehouse cannot be opened", error) from None

    def _damage(self, what: str, error: duckdb.Error) -> DamagedFileError:
        return DamagedFileError(self.path, f"{what} ({first_line(error)})", WAREHOUSE_REMEDY)


def open_duckdb(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the file so that its views find the log and the catalogue beside it, wherever the home lies.

    Raises:
        duckdb.IOException: The file cannot be opened.
    """
    return duckdb.connect(path, read_only=read_only, config={"file_search_path": str(path.parent)})


def _conflicting_pid(error: duckdb.IOException) -> int | None:
    match = _CONFLICTING_PID.search(str(error))
    return int(match.group(1)) if match else None


def _describe(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())[:120]
    except psutil.Error:
        return "no longer there"


def _is_orphaned_dbt(pid: int) -> bool:
    """Whether the process is a dbt that Dagster started and whose starter is gone."""
    try:
        process = psutil.Process(pid)
        parent = process.parent()
        started_by_dagster = process.environ().get("DAGSTER_DBT_CLI") == "true"
    except psutil.Error:
        return False
    return started_by_dagster and (parent is None or "python" not in parent.name())
