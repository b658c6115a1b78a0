"""Interactions and ids from the files that people bring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.dataset.interactions import Interactions
from ml.tables.chunks import Chunk, TableError
from ml.tables.column_roles import (
    LEFT_TO_NAMES,
    ColumnChoice,
    find_column,
    open_with_roles,
    possible_columns,
    quoted,
    require_column,
)
from ml.tables.conversion import flatten
from ml.tables.id_columns import check_one_id_each, read_ids
from ml.tables.number_columns import CellPlace, read_numbers
from ml.tables.table_files import Log, TableFile
from ml.tables.time_columns import read_times
from ml.tables.usual_names import ID_ROLES, VALUE_ROLES, Role, normalized

STANDARD_NAMES: Mapping[Role, str] = {
    "user": "user_id",
    "item": "item_id",
    "time": "timestamp",
    "rating": "rating",
    "weight": "weight",
}
KINDS_OF_ROWS = {
    "event",
    "eventtype",
    "eventname",
    "action",
    "behavior",
    "behaviour",
    "behaviortype",
    "interactiontype",
}


def silent(line: str) -> None:
    """Say nothing."""


def read_interactions(path: Path, choice: ColumnChoice = LEFT_TO_NAMES, log: Log = silent) -> Interactions:
    """Read the interactions of a file: who, what, and where there is one a time, a rating and a weight.

    Rows without a user or an item are left out, and `log` is told how many; so it is of repeated ratings,
    and of weights that show no interest.

    Args:
        path: The file.
        choice: Which columns are which, where their names leave it open.
        log: Is told in sentences what is read as what.

    Raises:
        TableError: The file or a cell of it cannot be used; the message names column and row.
    """
    table = open_with_roles(path, choice)
    columns: dict[Role, str] = {role: require_column(table, role, choice) for role in ID_ROLES}
    for role in VALUE_ROLES:
        if column := find_column(table, role, choice):
            columns[role] = column
    _check_different(table, columns)
    log(_reading(table, columns))
    kind = next((name for name in table.columns if normalized(name) in KINDS_OF_ROWS), None)
    if kind is not None and not {"rating", "weight"} & columns.keys():
        log(f"{path.name}: rows of every {kind} count alike; a column weight says how much each counts")
    chunk = table.read(list(columns.values()), log)
    for role in [role for role in VALUE_ROLES if role in columns and getattr(choice, role) is None]:
        if _is_empty(chunk.table[columns[role]]):
            log(f"{path.name}: {columns.pop(role)} is empty and not used")
    chunk = _with_ids(table, chunk, columns, log)
    values: dict[str, pa.Array | pa.ChunkedArray] = {
        STANDARD_NAMES[role]: chunk.table[columns[role]] for role in ID_ROLES
    }
    remarks = []
    for role in VALUE_ROLES:
        if role in columns:
            values[STANDARD_NAMES[role]], remark = _read_values(table, chunk, role, columns[role])
            remarks += [f"{columns[role]} with {remark}"] if remark else []
    if remarks:
        log(f"{table.path.name}: reading {', '.join(remarks)}")
    try:
        pairs = Interactions.from_table(pa.table(values))
    except ValueError as error:
        raise TableError(f"{path}: {error}") from error
    _say_rejections(path.name, pairs, log)
    repeats = len(chunk.table) - pairs.n_pairs
    if repeats and pairs.ratings is not None:
        counts = "the highest rating counts" if pairs.timestamps is None else "the newest rating counts"
        log(f"{path.name}: {repeats:,} of {len(chunk.table):,} rows rate again what the user has rated; {counts}")
    return pairs


def _say_rejections(file: str, pairs: Interactions, log: Log) -> None:
    """Say how many pairs have a weight that is no interest."""
    below, zero = int((pairs.weights < 0).sum()), int((pairs.weights == 0).sum())
    if below:
        log(f"{file}: {below:,} of {pairs.n_pairs:,} pairs weigh less than 0, which rejects the item")
    if zero:
        log(f"{file}: {zero:,} of {pairs.n_pairs:,} pairs weigh 0, which shows no interest")


def read_id_list(
    path: Path, role: Role, choice: ColumnChoice = LEFT_TO_NAMES, log: Log = silent
) -> pa.StringArray:
    """Distinct ids of users or of items in a file; a file of one column needs no name for it.

    Rows without an id are left out, and `log` is told how many.

    Raises:
        TableError: The file cannot be read, has no such column, or has no id.
    """
    table = open_with_roles(path, choice)
    column = table.columns[0] if len(table.columns) == 1 else require_column(table, role, choice, "id")
    log(f"{table.path.name}: reading {column} as {role}")
    chunk = table.read([column], log)
    rows = _with_ids(table, chunk, {role: column}, log)
    return pc.unique(pc.cast(flatten(rows.table[column]), pa.string()))


def read_exclusions(path: Path, choice: ColumnChoice = LEFT_TO_NAMES, log: Log = silent) -> pa.Table:
    """Read what is never to be recommended: `item_id`, for everybody, or with `user_id`, for that user.

    Raises:
        TableError: As `read_interactions`.
    """
    table = open_with_roles(path, choice)
    if len(table.columns) == 1 or find_column(table, "user", choice) is None:
        return pa.table({"item_id": read_id_list(path, "item", choice, log)})
    columns: dict[Role, str] = {role: require_column(table, role, choice) for role in ID_ROLES}
    log(_reading(table, columns))
    chunk = _with_ids(table, table.read(list(columns.values()), log), columns, log)
    return pa.table(
        {STANDARD_NAMES[role]: pc.cast(chunk.table[column], pa.string()) for role, column in columns.items()}
    )


def _read_values(table: TableFile, chunk: Chunk, role: Role, name: str) -> tuple[pa.Array, str]:
    """Times or numbers of a column, and how they were read where that is not plain."""
    place = CellPlace(table.path.name, name, chunk.numbers)
    column = chunk.table[name]
    try:
        if role == "time":
            times = read_times(column, place)
            return times.values, times.remark
        numbers = read_numbers(column, place, table.delimiter)
        return numbers.values, numbers.remark
    except TableError as error:
        instead = [other for other in possible_columns(table, role) if other != name]
        other_column = f" or --{role} {quoted(instead[0])} to read another one" if instead else ""
        raise TableError(
            f"{error}. Correct the cells, or add --{role} none to leave out the column{other_column}"
        ) from None


def _is_empty(column: pa.ChunkedArray) -> bool:
    """Whether no cell holds a value, but at most a word such as `NULL`."""
    array = flatten(column)
    if array.null_count == len(array):
        return True
    is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    return is_text and bool(pc.all(pc.is_null(read_ids(pc.unique(array), ""))).as_py())


def _check_different(table: TableFile, columns: Mapping[Role, str]) -> None:
    for role, column in columns.items():
        for other in columns:
            if other != role and columns[other] == column:
                raise TableError(f"{table.path}: column {column!r} cannot be both the {role} and the {other}")


def _reading(table: TableFile, columns: Mapping[Role, str]) -> str:
    named = [column if column == role else f"{column} as {role}" for role, column in columns.items()]
    unused = [name for name in table.columns if name not in columns.values()]
    rest = f"; not used: {', '.join(unused)}" if unused else ""
    header = "" if table.has_header else "the file has no header; "
    return f"{table.path.name}: {header}reading {', '.join(named)}{rest}"


def _with_ids(table: TableFile, chunk: Chunk, columns: Mapping[Role, str], log: Log) -> Chunk:
    """The rows that have a user and an item, with ids as text or integers."""
    rows, numbers = chunk.table, chunk.numbers
    keep = np.ones(len(rows), dtype=bool)
    ids_of = {role: columns[role] for role in ID_ROLES if role in columns}
    for name in ids_of.values():
        ids = read_ids(rows[name], f"{table.path.name}: column {name!r}")
        missing = np.asarray(pc.is_null(ids)).astype(bool)
        if missing.any():
            first = int(numbers[np.argmax(missing)]) + 1
            log(
                f"{table.path.name}: {int(missing.sum()):,} of {len(rows):,} rows have no {name} and are left "
                f"out; the first is row {first:,}"
            )
        check_one_id_each(ids, CellPlace(table.path.name, name, numbers))
        keep &= ~missing
        rows = rows.set_column(rows.column_names.index(name), name, ids)
    if not keep.any():
        raise TableError(f"{table.path}: no row has {' and '.join(map(repr, ids_of.values()))}")
    if keep.all():
        return Chunk(rows, numbers, chunk.rejected)
    return Chunk(rows.filter(pa.array(keep)), numbers[keep], chunk.rejected)
