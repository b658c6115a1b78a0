"""The script `tessera.js`: its parts in one function, so that nothing of it meets the page's own names."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
PARTS = ("site", "consent", "events", "page", "actions", "answers", "dialogs", "interface")
TYPES = FOLDER / "tessera.d.ts"


@dataclass(frozen=True)
class BrowserScript:
    """A file for browsers.

    Attributes:
        content: Its bytes.
        packed: The same, compressed with gzip.
        tag: What changes with its content.
    """

    content: bytes
    packed: bytes
    tag: str


def read_script() -> BrowserScript:
    """Put the parts together."""
    parts = "\n".join((FOLDER / "script" / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    content = f'(() => {{\n"use strict";\n{parts}}})();\n'.encode()
    return BrowserScript(content, gzip.compress(content, mtime=0), f'"{hashlib.sha256(content).hexdigest()[:16]}"')
