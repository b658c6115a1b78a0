"""Tables as Parquet files whose names carry their checksum."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml.errors import DamagedFileError
from ml.home import open_private, sync_path
from ml.integrity.digests import NAME_DIGITS, RESTORE, check_content_name, first_line, sha256_of, stem_of


def write_named_by_content(table: pa.Table, folder: Path, stem: str) -> Path:
    """Write a table as `<stem>.<first digits of its SHA-256>.parquet`, complete and on disk when it appears.

    Other files of the same stem are replaced.

    Returns:
        The file.
    """
    draft = folder / f".{stem}.{os.getpid()}.draft"
    try:
        with open(draft, "wb", opener=open_private) as stream:
            pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
            stream.flush()
            os.fsync(stream.fileno())
        target = folder / f"{stem}.{sha256_of(draft)[:NAME_DIGITS]}.parquet"
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    for file in folder.glob(f"{glob.escape(stem)}*.parquet"):
        if file != target and stem_of(file) == stem:
            file.unlink(missing_ok=True)
    sync_path(folder)
    return target


def read_checked_table(file: Path) -> pa.Table:
    """Read a Parquet file whose name may carry its checksum.

    Raises:
        DamagedFileError: The file differs from what was written, or cannot be read.
    """
    check_content_name(file)
    try:
        table: pa.Table = pq.read_table(file, page_checksum_verification=True)
        table.validate(full=True)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(file, f"the table is unreadable ({first_line(error)})", RESTORE) from error
    return table
