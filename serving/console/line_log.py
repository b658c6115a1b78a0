"""Logs of the console: files of JSON lines that several workers append to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.home import locked, make_folder, open_private


class LineLog:
    """A file of JSON lines.

    Args:
        file: The file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, line: Mapping[str, Any]) -> None:
        """Write a line, which is on disk when the call returns."""
        make_folder(self.file.parent)
        with (
            locked(self.file.with_suffix(".lock")),
            open(self.file, "a", opener=open_private, encoding="utf-8") as log,
        ):
            log.write(json.dumps(line, ensure_ascii=False) + "\n")
            log.flush()
            os.fsync(log.fileno())

    def newest(self, most: int) -> list[dict[str, Any]]:
        """Return the newest lines, the newest first."""
        if not self.file.exists():
            return []
        lines = self.file.read_text(encoding="utf-8").splitlines()[-most:]
        return [json.loads(line) for line in reversed(lines)]
