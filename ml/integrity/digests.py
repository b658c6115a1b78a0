"""SHA-256 of files, and file names that carry it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ml.errors import DamagedFileError

NAME_DIGITS = 16
CONTENT_NAME = re.compile(rf"^(?P<stem>.+)\.(?P<digest>[0-9a-f]{{{NAME_DIGITS}}})\.parquet$")
RESTORE = "put the file back from a backup (`tessera backup` makes them)"


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
