"""Remove erased users from the segmentation reports that list them as examples."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

REPORT_FILE = "report.html"


def remove_example_users(folder: Path, user_ids: Sequence[str]) -> int:
    """Replace the ids of these users in every segmentation report below a folder.

    Returns:
        How many mentions were replaced.
    """
    removed = 0
    for file in folder.rglob(REPORT_FILE):
        before = html = file.read_text(encoding="utf-8")
        for user in user_ids:
            mention = f"<code>{escape(user)}</code>"
            removed += html.count(mention)
            html = html.replace(mention, "<code>erased</code>")
        if html != before:
            partial = file.with_name(f".{file.name}.part")
            partial.write_text(html, encoding="utf-8")
            partial.replace(file)
    return removed
