"""Templates of pages, which include the style that all of them share as `page.css`."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SHARED = Path(__file__).parent


def page_templates(folder: Path, *, translates: bool = False) -> Environment:
    """Templates of a folder and the shared ones; values are escaped, and one that is missing is an error.

    Args:
        folder: folder of the page's own template.
        translates: whether the texts of the templates are translated; then each rendering gets `gettext`.
    """
    return Environment(
        loader=FileSystemLoader([folder, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"] if translates else [],
    )
