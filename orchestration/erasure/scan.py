"""Searches every file of a home for ids, decoded and raw. A receipt says "verified" when it finds none."""

from __future__ import annotations

import gzip
import io
import json
import mmap
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.events.frames import read_frames
from ml.events.live_log import SUFFIX
from ml.integrity.sqlite_files import open_existing_sqlite
from ml.privacy.id_matcher import IdMatcher, with_namespaces

Cell = tuple[str, str]
"""The name of a column and a text in it."""


@dataclass(frozen=True)
class ScanHit:
    """A file that holds an id.

    Attributes:
        path: The file, relative to the scanned folder.
        how: `decoded` if a cell of the file holds the id, `bytes` if only its raw bytes do.
    """

    path: str
    how: str


def scan_files(
    folder: Path,
    ids: Sequence[str],
    leave_out: Sequence[Path] = (),
    others: Sequence[str] = (),
    common: Collection[str] = (),
) -> list[ScanHit]:
    """Find the files below a folder that hold one of the ids.

    Parquet, Arrow, DuckDB, SQLite, zip, gzip and NumPy files are decoded and their cells are compared. The raw
    bytes of every file are searched as well. Ids that are numbers or short, and those that name something else,
    are compared only with whole cells of columns that hold people.

    Args:
        folder: The folder to search.
        ids: The ids of a person.
        leave_out: Files and folders that are not searched.
        others: The ids of other people that contain one of these, as `find_longer_ids` returns them.
        common: The ids that name something else as well, as `find_common_names` returns them.

    Raises:
        duckdb.IOException: Another program has the warehouse open.
    """
    hits = []
    matcher = IdMatcher(with_namespaces(ids), others, common=with_namespaces(common))
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        if any(file == other or other in file.parents for other in leave_out):
            continue
        how = _find_ids(file, matcher)
        if how:
            hits.append(ScanHit(str(file.relative_to(folder)), how))
    return hits


def _find_ids(file: Path, matcher: IdMatcher) -> str | None:
    """Return how a file holds one of the ids, or None if it holds none."""
    try:
        if any(matcher.is_cell(cell, column) for column, cell in _cells(file)):
            return "decoded"
    except FileNotFoundError:
        return None  # sealed or replaced in the meantime; the new file is searched by itself
    return "bytes" if matcher.texts and holds_in_bytes(file, matcher) else None


def holds_in_bytes(file: Path, matcher: IdMatcher) -> bool:
    """Return whether the bytes of a file mention one of the ids."""
    try:
        with open(file, "rb") as opened:
            if not opened.seek(0, io.SEEK_END):
                return False
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                is_possible = any(content.find(text.encode("utf-8", "replace")) >= 0 for text in matcher.texts)
                return is_possible and matcher.is_in_bytes(content)
    except FileNotFoundError:
        return False


def _cells(file: Path) -> Iterator[Cell]:
    """Yield the texts in the cells of a file whose format is recognized, each after the name of its column."""
    with open(file, "rb") as opened:
        head = opened.read(16)
    if file.suffix == SUFFIX:
        for batch in read_frames(file):
            yield from _of_table(pa.Table.from_batches([batch]))
    elif head[:4] == b"PAR1":
        yield from _of_table(pq.read_table(file))
    elif head[:6] == b"ARROW1":
        with pa.OSFile(str(file), "rb") as source:
            yield from _of_table(pa.ipc.open_file(source).read_all())
    elif head[8:12] == b"DUCK":
        yield from _of_duckdb(file)
    elif head == b"SQLite format 3\x00":
        yield from _of_sqlite(file)
    elif head[:2] == b"PK" or head[:2] == b"\x1f\x8b" or head[:6] == b"\x93NUMPY":
        yield from _of_bytes(file.read_bytes(), file.name)


def _of_bytes(content: bytes, name: str) -> Iterator[Cell]:
    """Yield the texts inside a zip archive (such as `.npz`), gzip, NumPy array, Parquet table or plain text."""
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _of_bytes(archive.read(member), member)
    elif content[:2] == b"\x1f\x8b":
        try:
            yield from _of_bytes(gzip.decompress(content), name)
        except (OSError, EOFError, zlib.error):
            return  # the file is cut short; its raw bytes are searched anyway
    elif content[:6] == b"\x93NUMPY":
        array = np.load(io.BytesIO(content), allow_pickle=False)
        if array.dtype.kind in "US":
            yield from ((name, str(value)) for value in array.ravel().tolist())
    elif content[:4] == b"PAR1":
        yield from _of_table(pq.read_table(io.BytesIO(content)))
    else:
        yield name, content.decode("utf-8", "replace")


def _of_table(table: pa.Table) -> Iterator[Cell]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        for text in _texts_of(column):
            yield name, text


def _texts_of(column: pa.ChunkedArray) -> Iterator[str]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _texts_of(pc.cast(column, kind.value_type))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from pc.unique(column).drop_null().to_pylist()
    elif pa.types.is_nested(kind):
        yield from pc.unique(pa.array([json.dumps(v, default=str) for v in column.to_pylist() if v])).to_pylist()


def _of_duckdb(file: Path) -> Iterator[Cell]:
    with duckdb.connect(file, read_only=True) as warehouse:
        for schema, table, column, kind in warehouse.sql(
            "select schema_name, table_name, column_name, data_type from duckdb_columns() "
            "join duckdb_tables() using (schema_name, table_name) where not duckdb_columns.internal"
        ).fetchall():
            if "VARCHAR" in kind or kind in {"JSON", "BLOB"}:
                query = f'select distinct cast("{column}" as varchar) as cell from "{schema}"."{table}"'
                for batch in warehouse.sql(query).to_arrow_reader(100_000):
                    yield from ((column, cell) for cell in batch["cell"].drop_null().to_pylist())


def _of_sqlite(file: Path) -> Iterator[Cell]:
    with closing(open_existing_sqlite(file)) as database:
        database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            rows = database.execute(f'select * from "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if isinstance(value, str):
                        yield name, value
                    elif isinstance(value, bytes):
                        yield name, value.decode("utf-8", "replace")
