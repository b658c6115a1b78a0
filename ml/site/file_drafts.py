"""Definition files as they would be: seen before they are written, and written whole."""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CONTEXT_LINES = 2


@dataclass(frozen=True)
class FileDraft:
    """A text that is to become a definition file.

    Attributes:
        path: The file that it would be written to.
        before: The text in force, which may stand in another file where this one does not exist yet.
        after: The text.
    """

    path: Path
    before: str
    after: str

    @property
    def digest(self) -> str:
        """What tells this draft from any other: 64 hex digits."""
        return hashlib.sha256("\0".join((self.before, self.after)).encode()).hexdigest()

    def list_changes(self) -> list[str]:
        """Return the lines that change, with some around them, as a unified diff without its heading."""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), n=CONTEXT_LINES, lineterm=""
        )
        return list(lines)[2:]

    def write(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.draft")
        draft.write_text(self.after, encoding="utf-8")
        os.replace(draft, self.path)
