"""The files that pages load: scripts, one style, and the outlines of countries."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from ml.pages.templates import SHARED

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
STYLES = (SHARED / "page.css", SHARED / "dark.css", STATIC / "console.css")
STYLE = "console.css"
SCRIPTS = frozenset({"console.js", "echarts.js", "htmx.js"})
OUTLINES = "world.svg"
MEDIA_TYPES = {name: "text/javascript" for name in SCRIPTS} | {STYLE: "text/css", OUTLINES: "image/svg+xml"}


def read_style() -> str:
    """Return the style of the console: what all pages of Tessera share, and its own."""
    return "\n".join(file.read_text(encoding="utf-8") for file in STYLES)


class StaticFiles:
    """The files by their names, compressed once."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def read(self, name: str) -> bytes:
        """Return a file of MEDIA_TYPES."""
        return read_style().encode() if name == STYLE else (STATIC / name).read_bytes()

    def read_packed(self, name: str) -> bytes:
        """Return a file compressed with gzip."""
        if name not in self._packed:
            self._packed[name] = gzip.compress(self.read(name))
        return self._packed[name]


@cache
def version_of_files() -> str:
    """Return a digest that changes with any of the files, so that browsers may keep them."""
    files = b"".join((STATIC / name).read_bytes() for name in sorted({*SCRIPTS, OUTLINES}))
    return hashlib.sha256(files + read_style().encode()).hexdigest()[:12]


def address_of(name: str) -> str:
    """Return the address of a file, which changes with its content."""
    return f"/console/static/{version_of_files()}/{name}"
