"""SHA-256 of files, and file names that carry it."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml.errors import DamagedFileError
from ml.home import open_private, sync_path

NAME_DIGITS = 16
CONTENT_NAME = re.compile(rf"^(?P<stem>.+)\.(?P<digest>[0-9a-f]{{{NAME_DIGITS}}})\.parquet$")
RESTORE = "put the file back from a backup (`tessera backup` makes them)"


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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


def stem_of(file: Path) -> str:
    """Return the stem that `write_named_by_content` was given, or the file's stem if its name has no checksum."""
    name = CONTENT_NAME.match(file.name)
    return name["stem"] if name is not None else file.stem


def check_content_name(file: Path) -> None:
    """Compare a file with the digits of the SHA-256 in its name. A name without any is not checked.

    Raises:
        DamagedFileError: The file differs from what was written.
    """
    name = CONTENT_NAME.match(file.name)
    if name is not None and not sha256_of(file).startswith(name["digest"]):
        raise DamagedFileError(file, "the file differs from the checksum in its name", RESTORE)


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


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
