"""The files that a path names: one file, or those of a folder."""

from __future__ import annotations

from pathlib import Path

from ml.sources.source import SourceError
from ml.tables.input_checks import check_input_file


def list_input_files(path: Path) -> list[Path]:
    """Return the file, or every file of the folder, in the order in which they are read.

    Raises:
        SourceError: The folder has none.
        TableError: A file is none that can be read.
    """
    if not path.is_dir():
        return [check_input_file(path)]
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise SourceError(f"{path}: the folder has no files. Check --path")
    return [check_input_file(file) for file in files]
