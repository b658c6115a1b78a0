"""Tables and folders that commands write, and the checks that come before any work for them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ml.spreadsheet_cells import escape_formulas
from ml.tables.chunks import TableError

OUTPUTS = (".parquet", ".csv")


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet or CSV by suffix.

    Raises:
        TableError: the suffix is not one of these.
    """
    check_output_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        pa_csv.write_csv(escape_formulas(table), path)


def check_output_file(path: Path) -> None:
    """Check that a table can be written there.

    Raises:
        TableError: The suffix is no format, the path is a folder, or nothing may be written there.
    """
    if path.suffix not in OUTPUTS:
        raise TableError(f"{path}: expected the name of a file that ends in {' or '.join(OUTPUTS)}")
    if path.is_dir():
        raise TableError(f"{path}: is a folder. Name a file")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Check that a file or a folder can be made or changed there.

    Raises:
        TableError: It cannot.
    """
    place = path.absolute()
    while not place.exists():
        place = place.parent
    if place != path.absolute() and not place.is_dir():
        raise TableError(f"{path}: nothing can be written there, because {place} is a file")
    folder = place if place.is_dir() else place.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        raise TableError(f"{path}: nothing can be written there, because {folder} is not writable") from None
