"""Whole tables from the files that people bring, whatever their format; text stays text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.arrays import I64
from ml.spreadsheet_cells import unescape_formulas
from ml.tables.chunks import Chunk, TableError, empty_rejects
from ml.tables.conversion import as_text
from ml.tables.csv_tables import column_names, read_csv
from ml.tables.input_checks import check_columns, check_input_file
from ml.tables.json_lines import flat_names, read_json_lines, read_objects
from ml.tables.layouts import FileLayout, TextSample, has_header, sample_text
from ml.tables.text_files import DAMAGE, OTHER_SCRIPTS, open_bytes
from ml.tables.usual_names import is_usual_name

Log: TypeAlias = Callable[[str], None]

MOST_MALFORMED = 0.01  # share of rows that may be left out; a file with more is something else than it seems


@dataclass(frozen=True)
class TableFile:
    """A file whose columns are known and whose rows are not read yet.

    Attributes:
        path: The file, or a folder of Parquet files.
        kind: `parquet`, `csv` or `json`.
        columns: Names of the columns; numbers from 1 where the file has no header.
        has_header: Whether the file names its columns.
        sample: The beginning of a table of text; None for the other kinds.
    """

    path: Path
    kind: str
    columns: list[str]
    has_header: bool = True
    sample: TextSample | None = None

    @property
    def delimiter(self) -> str:
        """What separates the cells of a table of text; empty for the other kinds."""
        return self.sample.dialect.delimiter if self.sample else ""

    @property
    def first_rows(self) -> Sequence[Sequence[str]]:
        """The cells of the first rows of a table of text."""
        return self.sample.rows if self.sample else ()

    def read(self, columns: Sequence[str] | None = None, log: Log = lambda line: None) -> Chunk:
        """Read the columns, or all of them, of the whole file.

        The cells of a table of text are text, and an empty one is null.

        Args:
            columns: Names of columns.
            log: Is told how many malformed rows were left out, and an encoding that was guessed.

        Raises:
            TableError: The file is damaged, has no rows, or has too many that are malformed.
        """
        names = self.columns if columns is None else list(columns)
        chunks = list(self._chunks(names))
        rejected = pa.concat_tables([chunk.rejected for chunk in chunks] or [empty_rejects()])
        rows = sum(len(chunk.table) for chunk in chunks)
        self._check_malformed(rejected, rows, log)
        if not rows:
            raise TableError(f"{self.path}: there are no rows")
        if self.sample and self.sample.encoding in OTHER_SCRIPTS:
            log(f"{self.path.name}: reading text in {self.sample.encoding}; save it as UTF-8 if words look wrong")
        table = _joined([chunk.table for chunk in chunks if len(chunk.table)], names)
        numbers = np.concatenate([chunk.numbers for chunk in chunks])
        if self.kind == "csv" and self.has_header:
            table, numbers = self._without_headers(table, numbers, log)
        if self.kind == "csv":
            table = unescape_formulas(table)
        return Chunk(table, numbers, rejected)

    def _without_headers(self, table: pa.Table, numbers: I64, log: Log) -> tuple[pa.Table, I64]:
        """The rows that are no header, as stands between files that were written into one.

        Raises:
            TableError: There is no other row.
        """
        repeats = np.ones(len(table), dtype=bool)
        for name in table.column_names:
            same = pc.equal(pc.utf8_trim_whitespace(as_text(table[name])), name.strip())
            repeats &= np.asarray(pc.fill_null(same, False)).astype(bool)
        if not repeats.any():
            return table, numbers
        if repeats.all():
            raise TableError(f"{self.path}: there are no rows but headers")
        first = int(numbers[np.argmax(repeats)]) + 1
        log(
            f"{self.path.name}: {int(repeats.sum()):,} of {len(table):,} rows repeat the header and are left out; "
            f"the first is row {first:,}"
        )
        return table.filter(pa.array(~repeats)), numbers[~repeats]

    def _chunks(self, names: Sequence[str]) -> Iterator[Chunk]:
        if self.kind == "csv":
            layout = FileLayout(columns=() if self.has_header else tuple(self.columns))
            yield from read_csv(self.path, layout=layout, columns=names, sample=self.sample)
        elif self.kind == "json":
            for chunk in read_json_lines(self.path):
                there = [name for name in names if name in chunk.table.column_names]
                yield Chunk(chunk.table.select(there), chunk.numbers, chunk.rejected)
        else:
            try:
                table = pq.read_table(self.path, columns=list(names))
            except (pa.ArrowException, OSError) as error:
                raise _damaged(self.path, error) from error
            yield Chunk(table, np.arange(len(table)), empty_rejects())

    def _check_malformed(self, rejected: pa.Table, rows: int, log: Log) -> None:
        if not len(rejected):
            return
        first = rejected.slice(0, 1).to_pylist()[0]
        total = rows + len(rejected)
        example = f"row {first['row'] + 1} {first['reason']}: {first['payload'][:80].rstrip()}"
        if len(rejected) > MOST_MALFORMED * total:
            raise TableError(f"{self.path}: {len(rejected):,} of {total:,} rows are malformed; {example}")
        log(f"{self.path.name}: {len(rejected):,} of {total:,} rows are malformed and left out; {example}")


def open_table(path: Path, is_numbered: bool = False) -> TableFile:
    """Find out the format of a file and the names of its columns.

    Args:
        path: The file, or a folder of Parquet files.
        is_numbered: Whether the columns of a table of text are named by numbers, so that its first line is a row
            unless it has a usual name of a column.

    Raises:
        TableError: The file is missing, empty, damaged, or no table.
    """
    path = Path(path)
    if path.is_dir() and any(path.glob("*.parquet")):
        return _parquet_file(path)
    check_input_file(path)
    if _begins_as_parquet(path):
        return _parquet_file(path)
    start = _text_start(path)
    if ".json" in "".join(path.suffixes[-2:]).lower() or ".ndjson" in path.name.lower() or start.startswith("{"):
        return _json_file(path)
    sample = sample_text(path)
    first = sample.rows[0]
    names_columns = any(map(is_usual_name, first)) or (not is_numbered and has_header(sample.rows))
    names = column_names(first) if names_columns else [str(number + 1) for number in range(len(first))]
    check_columns(path, names, ())
    return TableFile(path, "csv", names, names_columns, sample)


def _begins_as_parquet(path: Path) -> bool:
    """Return whether the file is Parquet by its first bytes.

    Raises:
        TableError: It is named as Parquet and is not.
    """
    with open(path, "rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return True
    if path.suffix.lower() in (".parquet", ".pq"):
        raise TableError(f"{path}: cut short, or no Parquet file. Fetch the file again")
    return False


def _text_start(path: Path) -> str:
    """The first characters of a text file, of any encoding, without blanks before them.

    Raises:
        TableError: It is no text.
    """
    try:
        with open_bytes(path) as file:
            start = file.read(4096)
    except DAMAGE as error:
        raise _damaged(path, error) from error
    if not start:
        raise TableError(f"{path}: the file is empty")
    control = sum(byte < 32 and byte not in b"\t\n\r\f\v\0\x01" for byte in start)
    if control > len(start) // 50 or (start.count(0) and not _is_wide(start)):
        raise TableError(f"{path}: is not a table: expected Parquet, CSV or JSON Lines")
    return start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").decode("latin-1")


def _is_wide(start: bytes) -> bool:
    """Return whether zeros stand where UTF-16 and UTF-32 have them."""
    return start[:2] in (b"\xff\xfe", b"\xfe\xff") or 0 in (start[0:1000:2].count(0), start[1:1000:2].count(0))


def _parquet_file(path: Path) -> TableFile:
    try:
        names = pq.ParquetDataset(path).schema.names if path.is_dir() else pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    check_columns(path, names, ())
    return TableFile(path, "parquet", list(names))


def _json_file(path: Path) -> TableFile:
    names: dict[str, None] = {}
    for chunk in read_objects(path):
        if len(chunk.records) == 1 and _holds_columns(chunk.records[0]):
            raise TableError(
                f"{path}: holds one object of columns. Expected one object for each row, as "
                "to_json(orient='records', lines=True) of pandas writes"
            )
        names |= dict.fromkeys(flat_names(chunk.records))
    if not names:
        raise TableError(f"{path}: there are no objects with fields. Expected one JSON object a line")
    return TableFile(path, "json", list(names))


def _holds_columns(record: dict[str, Any]) -> bool:
    """Whether an object is a whole table, by columns of row numbers or as lists, as pandas writes by default."""
    by_row = all(isinstance(value, dict) and all(map(str.isdigit, value)) for value in record.values())
    return len(record) > 1 and (by_row or {"columns", "data"} <= set(record))


def _joined(tables: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """Put tables of one file below each other; a column whose types differ becomes text, an absent one null."""
    columns = {}
    for name in names:
        parts = [table[name] if name in table.column_names else pa.nulls(len(table)) for table in tables]
        types = {part.type for part in parts if not pa.types.is_null(part.type)}
        if len(types) > 1:
            parts, types = [as_text(part) for part in parts], {pa.string()}
        kind = next(iter(types), pa.null())
        arrays = [
            array for part in parts for array in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])
        ]
        columns[name] = pa.chunked_array([array.cast(kind) for array in arrays], kind)
    return pa.table(columns)


def _damaged(path: Path, error: Exception) -> TableError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TableError(f"{path}: cut short or damaged ({reason}). Fetch the file again")
