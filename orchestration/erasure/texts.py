"""Erases people from texts that nothing reads back: what programs printed, and readable reports."""

from __future__ import annotations

from pathlib import Path

from ml.home import Home
from ml.privacy.id_matcher import IdMatcher

SUFFIXES = (".log", ".txt", ".out", ".err", ".html", ".md", ".json", ".jsonl")


def erase_from_texts(home: Home, matcher: IdMatcher) -> int:
    """Overwrite the ids in logs and reports with `x`, in place, since a program may be writing to the end.

    Returns:
        The number of files that were changed.
    """
    changed = 0
    for folder in (home.path / "logs", home.reports, home.dagster):
        for file in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
            changed += _erase_in_place(file, matcher)
    return changed


def _erase_in_place(file: Path, matcher: IdMatcher) -> bool:
    with open(file, "r+b") as opened:
        content = opened.read()
        blanked = matcher.blank_bytes(content)
        if blanked != content:
            opened.seek(0)
            opened.write(blanked)
    return blanked != content
