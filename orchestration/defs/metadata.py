"""Figures and tables as metadata that Dagster's pages show."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import dagster as dg
import pyarrow as pa
from matplotlib.figure import Figure

from ml.pages.figure_images import draw_png


def figure_metadata(figure: Figure) -> dg.MarkdownMetadataValue:
    """Return a figure as Markdown with an inline image."""
    data = base64.b64encode(draw_png(figure)).decode()
    return dg.MetadataValue.md(f"![figure](data:image/png;base64,{data})")


def figures_metadata(figures: Mapping[str, Figure]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return figures as metadata under their names."""
    return {name: figure_metadata(figure) for name, figure in figures.items()}


def table_metadata(table: pa.Table, float_format: str = ".4g") -> dg.MarkdownMetadataValue:
    """Return a small table as Markdown.

    Args:
        table: the table.
        float_format: format of floating-point numbers.
    """
    lines = [f"| {' | '.join(table.column_names)} |", "|" + "---|" * table.num_columns]
    for row in table.to_pylist():
        cells = [format(value, float_format) if isinstance(value, float) else str(value) for value in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return dg.MetadataValue.md("\n".join(lines))
