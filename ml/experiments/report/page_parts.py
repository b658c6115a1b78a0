"""Parts of a report page: words, tables and SVG figures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure


def render_svg(figure: Figure) -> str:
    """Render a figure as inline SVG; equal figures yield equal text."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "tessera", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # A fixed size in points would not adapt to the page's width.
    return re.sub(
        r'(<svg[^>]*?) height="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1), count=1
    )


def render_table(head: Iterable[str], lines: Iterable[Iterable[str]], numeric: int) -> str:
    """Render a table whose first `numeric` columns are numbers."""

    def cells(values: Iterable[str], tag: str) -> Iterator[str]:
        for index, value in enumerate(values):
            css = ' class="number"' if index < numeric else ""
            yield f"<{tag}{css}>{escape(value)}</{tag}>"

    rows = "".join(f"<tr>{''.join(cells(line, 'td'))}</tr>" for line in lines)
    titles = "".join(cells(head, "th"))
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>'


def format_title(name: str) -> str:
    """Format a metric's name as a title."""
    return name.replace("_", " ").capitalize()


def format_sentence(text: str) -> str:
    """Format a text as a sentence."""
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."
