"""Text files as bytes in UTF-8, whatever they are compressed with and encoded in."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ml.sources.source import SourceError

BLOCK_BYTES = 1 << 20
GZIP = b"\x1f\x8b"
UTF_8 = "utf-8-sig"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_gzipped(path: Path) -> bool:
    """Return whether the file begins as gzip does, whatever its name says."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP


def open_bytes(path: Path) -> IO[bytes]:
    """Open the file's content, unpacked."""
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzipped(path) else open(path, "rb")


def detect_encoding(path: Path) -> str:
    """Return the encoding of a text file as a codec of Python.

    UTF-16 and UTF-32 are known by their byte order mark, or UTF-16 by the zeros between its letters. What is not
    UTF-8 to its end is Windows-1252, of which Latin-1 is a part.

    Raises:
        OSError, EOFError: The file is damaged.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        start = file.read(BLOCK_BYTES)
        for mark, encoding in BYTE_ORDER_MARKS:
            if start.startswith(mark):
                return encoding
        if start[1:40:2].count(0) * 2 > len(start[1:40:2]):
            return "utf-16-le"
        if start[0:40:2].count(0) * 2 > len(start[0:40:2]):
            return "utf-16-be"
        block = start
        try:
            while block:
                decoder.decode(block)
                block = file.read(BLOCK_BYTES)
        except UnicodeDecodeError:
            return "cp1252"
    return UTF_8


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open the file as text; bytes that the encoding does not have become the replacement character."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, errors="replace", newline="")


def lines_of(path: Path, encoding: str | None = None) -> Iterator[bytes]:
    """Lines in UTF-8, each with its newline, without a byte order mark.

    Args:
        path: The file.
        encoding: Its encoding, detected if absent.

    Raises:
        OSError, EOFError: The file is damaged.
        SourceError: There is no such encoding.
    """
    encoding = encoding or detect_encoding(path)
    if encoding == UTF_8:
        with open_bytes(path) as file:
            for number, line in enumerate(file):
                yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        return
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise SourceError(
            f"{path}: there is no encoding {encoding!r}. Name one such as latin-1 or utf-16"
        ) from None
    with open_text(path, encoding) as text:
        for text_line in text:
            yield text_line.removeprefix("\ufeff").encode()


def ends_in_newline(path: Path) -> bool:
    """Return whether the last line is whole; a gzip stream that was cut is an error of its own."""
    if is_gzipped(path):
        return True
    with open(path, "rb") as file:
        file.seek(max(-4, -path.stat().st_size), 2)
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
