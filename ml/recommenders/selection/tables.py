"""Tables that people bring: Parquet or CSV by suffix, with errors that say what is wrong with which file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.errors import TesseraError
from ml.sources.csv_tables import detect_layout
from ml.sources.text_files import UTF_8
from ml.spreadsheet_cells import escape_formulas, unescape_formulas

SUFFIXES = (".parquet", ".csv")


class TableError(TesseraError, ValueError):
    """A file cannot be used as the table that it should be; the message names file, column and what is there."""


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read a Parquet or CSV file that must have rows and these columns.

    Raises:
        TableError: it is missing, empty, cut, of another format, or lacks a column.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise TableError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise TableError(f"{path}: there is no such file")
    if not path.stat().st_size:
        raise TableError(f"{path}: the file is empty")
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else unescape_formulas(_read_csv(path))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TableError(f"{path}: not a whole {path.suffix[1:]} file, cut or damaged: {reason}") from error
    for column in columns:
        if column not in table.column_names:
            raise TableError(f"{path}: column {column!r} is missing; there are {', '.join(table.column_names)}")
    if not len(table):
        raise TableError(f"{path}: there are no rows")
    return table


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet or CSV by suffix.

    Raises:
        TableError: the suffix is none of these.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise TableError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        pa_csv.write_csv(escape_formulas(table), path)


def read_interactions(path: Path) -> Interactions:
    """Interactions from `user_id, item_id[, timestamp][, rating][, weight]`. Raises TableError."""
    table = read_table(path, ("user_id", "item_id"))
    try:
        return Interactions.from_table(table)
    except ValueError as error:
        raise TableError(f"{path}: {error}; columns there: {', '.join(table.column_names)}") from error


def read_features(path: Path | None, id_column: str) -> FeatureMatrix | None:
    """Features from `id_column, features`; None for no file. Raises TableError."""
    if path is None:
        return None
    table = read_table(path, (id_column, "features"))
    try:
        return FeatureMatrix.from_table(table, id_column)
    except ValueError as error:
        raise TableError(f"{path}: {error}; columns there: {', '.join(table.column_names)}") from error


def read_ids(path: Path | None, id_column: str) -> pa.ChunkedArray | None:
    """Distinct ids of a file, as strings; None for no file. Raises TableError."""
    if path is None:
        return None
    column = read_table(path, (id_column,))[id_column]
    if column.null_count:
        raise TableError(f"{path}: column {id_column!r}: {column.null_count} rows have no id")
    return pa.chunked_array([pc.unique(pc.cast(column, pa.string()))])


def _read_csv(path: Path) -> pa.Table:
    ids = {"user_id": pa.string(), "item_id": pa.string()}  # 007 is not 7
    layout = detect_layout(path)
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(encoding="utf8" if layout.encoding == UTF_8 else layout.encoding),
        parse_options=pa_csv.ParseOptions(delimiter=layout.delimiter or ","),
        convert_options=pa_csv.ConvertOptions(column_types=ids, strings_can_be_null=True),
    )
