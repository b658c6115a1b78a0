"""JSON objects that carry a checksum of themselves, as lines of a file or as whole files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ml.errors import TesseraError

CHECK = "check"


class ChecksumError(TesseraError, ValueError):
    """A text is no JSON object, or it is not the text that was written."""


def encode_checked(row: Mapping[str, Any]) -> str:
    """Return an object as one line of JSON whose last field is the CRC-32 of the others.

    Args:
        row: The object, which has no field `check`.
    """
    text = json.dumps(row)
    return f'{text[:-1]}, "{CHECK}": "{zlib.crc32(text.encode()):08x}"}}'


def decode_checked(text: str | bytes) -> dict[str, Any]:
    """Return the object of a text that `encode_checked` wrote, without its checksum.

    A text without a checksum, as earlier versions wrote it, is accepted.

    Raises:
        ChecksumError: The text is no JSON object, or it differs from what was written.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        row = json.loads(decoded)
    except ValueError as error:
        raise ChecksumError(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ChecksumError(f"is a JSON {type(row).__name__}, not an object")
    if CHECK not in row:
        return row
    del row[CHECK]
    if encode_checked(row) != decoded.strip("\n"):
        raise ChecksumError("differs from its checksum")
    return row
