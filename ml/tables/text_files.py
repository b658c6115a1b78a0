"""Text files as bytes in UTF-8, whatever they are compressed with and encoded in."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import charset_normalizer
import pyarrow as pa

from ml.tables.chunks import TableError

BLOCK_BYTES = 1 << 20
UTF_8 = "utf-8-sig"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
COMPRESSIONS = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
)
READ_BY_ARROW = {"gzip", "zstd", "bz2"}
WESTERN = "cp1252"
# Encodings of the other scripts that programs still write; of Chinese, Japanese and Korean, all that are usual.
OTHER_SCRIPTS = (
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
FOREIGN_BYTES = re.compile(rb"[\x80-\xff]+")
LONG_RUN = 4  # bytes beyond ASCII in a row; words in Latin letters hardly have as many
SNIFFED_BYTES = 1 << 16
DAMAGE = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)  # what a cut or damaged file raises


def compression_of(path: Path) -> str | None:
    """Return how the file is compressed, as its first bytes show whatever its name says; None if it is not."""
    with open(path, "rb") as file:
        start = file.read(8)
    return next((name for mark, name in COMPRESSIONS if start.startswith(mark)), None)


def open_bytes(path: Path) -> IO[bytes]:
    """Open the file's content, unpacked.

    Raises:
        TableError: It is a ZIP archive of several files.
    """
    compression = compression_of(path)
    if compression is None:
        return open(path, "rb")
    if compression == "zip":
        return _open_member(path)
    if compression == "zstd":
        return io.BufferedReader(cast(Any, pa.input_stream(path, compression="zstd")))
    if compression == "gzip":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return bz2.open(path, "rb") if compression == "bz2" else lzma.open(path, "rb")


def open_stream(path: Path) -> pa.NativeFile:
    """Open the file's content, unpacked, for Arrow's readers."""
    compression = compression_of(path)
    if compression in READ_BY_ARROW:
        return pa.input_stream(path, compression=compression)
    return pa.input_stream(path, compression=None) if compression is None else pa.PythonFile(open_bytes(path), "r")


def _open_member(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
    if len(members) != 1:
        raise TableError(
            f"{path}: is an archive of {len(members)} files ({', '.join(members[:5])}). Unpack it and "
            "name one of them"
        )
    return archive.open(members[0])


def detect_encoding(path: Path) -> str:
    """Return the encoding of a text file as a codec of Python.

    UTF-16 and UTF-32 are known by their byte order mark, or UTF-16 by the zeros between its letters. What is not
    UTF-8 to its end is Windows-1252, of which Latin-1 is a part, unless it looks like another script.

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
            return _detect_script(block)
    return UTF_8


def _detect_script(block: bytes) -> str:
    """Return the encoding of a part of a file that is not UTF-8."""
    runs = FOREIGN_BYTES.findall(block)
    if sum(len(run) for run in runs if len(run) >= LONG_RUN) * 2 < sum(map(len, runs)):
        return WESTERN
    lines = block.splitlines()[1:-1] or [block]  # the block may begin and end inside a character
    shown = b"\n".join(line for line in lines if FOREIGN_BYTES.search(line))
    shown = shown[: shown.find(b"\n", SNIFFED_BYTES)] if len(shown) > SNIFFED_BYTES else shown
    best = charset_normalizer.from_bytes(shown, cp_isolation=list(OTHER_SCRIPTS)).best()
    return WESTERN if best is None else best.encoding


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
        TableError: There is no such encoding.
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
        raise TableError(
            f"{path}: there is no encoding {encoding!r}. Name one such as latin-1 or utf-16"
        ) from None
    with open_text(path, encoding) as text:
        for text_line in text:
            yield text_line.removeprefix("\ufeff").encode()


def ends_in_newline(path: Path) -> bool:
    """Return whether the last line is whole; a compressed stream that was cut is an error of its own."""
    if compression_of(path) is not None:
        return True
    with open(path, "rb") as file:
        file.seek(max(-4, -path.stat().st_size), 2)
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
