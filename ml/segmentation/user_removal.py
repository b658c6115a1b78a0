"""Example users leave the reports that show them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

REPORT_FILE = "report.html"


def remove_example_users(folder: Path, user_ids: Sequence[str]) -> int:
    """Take these users out of every segmentation report below a folder; returns how often they stood there."""
    removed = 0
    for file in folder.rglob(REPORT_FILE):
        before = html = file.read_text(encoding="utf-8")
        for user in user_ids:
            shown = f"<code>{escape(user)}</code>"
            removed += html.count(shown)
            html = html.replace(shown, "<code>erased</code>")
        if html != before:
            fresh = file.with_name(f".{file.name}.part")
            fresh.write_text(html, encoding="utf-8")
            fresh.replace(file)
    return removed
