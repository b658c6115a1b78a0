"""What readers of files check, and the errors that say what to do."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ml.events.records import REJECTED_SCHEMA
from ml.tables.chunks import MissingColumnError, TableError

SIGNATURES = (  # how files begin that hold no table which could be read
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an Excel workbook. Save the sheet as CSV"),
    (b"SQLite format 3\0", "is an SQLite database. Export the table as CSV"),
    (b"%PDF", "is a PDF document. Save the table as CSV"),
    (b"\x89HDF", "is an HDF5 file. Save the table as Parquet or CSV"),
    (b"ARROW1", "is an Arrow file. Save the table as Parquet"),
    (b"Obj\x01", "is an Avro file. Save the table as Parquet or JSON Lines"),
    (b"\x93NUMPY", "is an array of NumPy. Save the table as Parquet or CSV"),
    (b"\x80\x02", "is a pickle of Python. Save the table as Parquet or CSV"),
    (b"\x80\x03", "is a pickle of Python. Save the table as Parquet or CSV"),
    (b"\x80\x04", "is a pickle of Python. Save the table as Parquet or CSV"),
    (b"\x80\x05", "is a pickle of Python. Save the table as Parquet or CSV"),
    (b"ORC", "is an ORC file. Save the table as Parquet"),
    (b"FEA1", "is a Feather file. Save the table as Parquet"),
    (b"$FL2", "is an SPSS file. Save the table as CSV"),
    (b"<stata_dta>", "is a Stata file. Save the table as CSV"),
    (b"Rar!", "is an archive. Unpack it first"),
    (b"7z\xbc\xaf", "is an archive. Unpack it first"),
)
WORKBOOK_PARTS = (
    "xl/",
    "[Content_Types].xml",
    "content.xml",
    "Index/Document.iwa",
)  # of Excel, LibreOffice, Numbers
ZIP, ZIP_HEADER_BYTES = b"PK\x03\x04", 30  # what stands before the name of the first file
MARKUP = ("<!doctype", "<html", "<?xml")


def check_input_file(path: Path) -> Path:
    """The path itself, if it is a file with something in it that may be a table.

    Raises:
        TableError: It is not.
    """
    if not path.exists():
        raise TableError(f"{path}: there is no such file")
    if not path.is_file():
        raise TableError(f"{path}: is a folder, not a file")
    if path.stat().st_size == 0:
        raise TableError(f"{path}: the file is empty")
    _check_content(path)
    return path


def _check_content(path: Path) -> None:
    """Refuse what is a document of another program, by its first bytes.

    Raises:
        TableError: It is one; the message says how to make a table of it.
    """
    with open(path, "rb") as file:
        start = file.read(512)
    for mark, message in SIGNATURES:
        if start.startswith(mark):
            raise TableError(f"{path}: {message}")
    text = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").decode("latin-1").lower()
    if text.startswith(MARKUP):
        raise TableError(f"{path}: is a web page or XML, not a table. Save the table as CSV, or export it anew")
    names = _names_in_archive(path, start) if start.startswith(ZIP) else []
    if any(name.startswith(WORKBOOK_PARTS) for name in names):
        raise TableError(f"{path}: is a workbook of a spreadsheet. Save the sheet as CSV")
    if names and all(name.endswith(".npy") for name in names):
        raise TableError(f"{path}: holds {len(names)} arrays of NumPy. Save the table as Parquet or CSV")


def _names_in_archive(path: Path, start: bytes) -> list[str]:
    """The names of the files in a zip archive; of one that was cut short, how the first begins."""
    if not zipfile.is_zipfile(path):
        return [start[ZIP_HEADER_BYTES:].decode("latin-1")]
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    """Check the names of a file's columns.

    Raises:
        TableError: Two columns have one name.
        MissingColumnError: A required column is missing.
    """
    doubled = [name for name, count in Counter(columns).items() if count > 1]
    if doubled:
        raise TableError(
            f"{path}: has more than one column {', '.join(map(repr, doubled))}. Give each column a name of its own"
        )
    missing = [name for name in required if name not in columns]
    if missing:
        raise MissingColumnError(path, missing, columns)


def cut_message(path: Path, row: int) -> str:
    """Say that a file ends inside a row."""
    return (
        f"{path}: the file ends inside row {row}: it is cut short. Fetch the file again, or delete its last "
        "line if that is all it lacks"
    )


def damage_message(path: Path, error: Exception) -> str:
    """Say that a file cannot be read to its end."""
    return f"{path}: cut short or damaged ({error}). Fetch the file again"


def encoding_message(path: Path, encoding: str) -> str:
    """Say that a file has bytes that its encoding does not know."""
    return f"{path}: is text neither in UTF-8 nor in {encoding}. Save it as UTF-8"


def rejected_rows(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    """Return rejects (REJECTED_SCHEMA) from row number, reason and text of each row that could not be read."""
    records = [{"row": number, "field": "row", "reason": why, "payload": text} for number, why, text in rows]
    return pa.Table.from_pylist(records, schema=REJECTED_SCHEMA)


def empty_table(names: Sequence[str]) -> pa.Table:
    """Return a table of text without rows."""
    return pa.table([pa.array([], pa.string()) for _ in names], names=list(names))
