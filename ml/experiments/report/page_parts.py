"""Parts of a report page: formatted numbers, tables and SVG figures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from html import escape
from math import isfinite, isnan

import matplotlib as mpl
from matplotlib.figure import Figure

from ml.experiments.analysis.inference import EffectInterval


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


def format_number(value: float) -> str:
    """Format a number with four significant digits, or with thousands separated."""
    if isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_percent(value: float) -> str:
    """Format a signed percentage."""
    return "–" if isnan(value) else f"{value:+.2%}"


def format_bounds(interval: EffectInterval) -> str:
    """Format the bounds of an interval in percent; an interval may have a single bound."""
    if isnan(interval.low) or isnan(interval.high):
        return "–"
    if isfinite(interval.low) and isfinite(interval.high):
        return f"{interval.low:+.2%} to {interval.high:+.2%}"
    if isfinite(interval.low):
        return f"at least {interval.low:+.2%}"
    return f"at most {interval.high:+.2%}" if isfinite(interval.high) else "too early"


def format_p_value(value: float) -> str:
    """Format a p-value with four digits."""
    if isnan(value):
        return "–"
    return "&lt; .0001" if value < 0.0001 else f"{value:.4f}"


def format_p_equation(value: float) -> str:
    """Format a p-value within a sentence."""
    return f"p {format_p_value(value)}" if value < 0.0001 else f"p = {format_p_value(value)}"


def format_probability(value: float) -> str:
    """Format a probability in percent."""
    if isnan(value):
        return "–"
    return "&gt; 99.9%" if value > 0.999 else "&lt; 0.1%" if value < 0.001 else f"{value:.1%}"
