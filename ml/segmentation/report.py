"""One HTML file a marketer can read: who the segments are, how sure that is, and how it was found."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ml.segmentation.figures import choice_plot, colour_of, sizes_plot, traits_plot, user_map
from ml.segmentation.segmentation import Segmentation

TEMPLATE = "report.html.j2"
TRAITS_SHOWN = 8


def write_report(
    file: Path,
    found: Segmentation,
    table: pa.Table,
    assigned: pa.Table,
    minimum_size: int,
    moves: pa.Table | None = None,
) -> None:
    """Write the report of a segmentation of `table`, whose users `assigned` names segments; no other file is
    needed.

    Segments below `minimum_size` are counted but not described.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    shown = [profile for profile in found.profiles if profile.size >= minimum_size]
    segments = assigned.column("segment").to_numpy()
    html = environment.get_template(TEMPLATE).render(
        found=found,
        users=table.num_rows,
        profiles=[{"profile": p, "colour": colour_of(found.profiles.index(p))} for p in shown],
        hidden=len(found.profiles) - len(shown),
        minimum_size=minimum_size,
        traits_shown=TRAITS_SHOWN,
        moves=moves.to_pylist() if moves is not None else [],
        pictures={
            "map": picture(user_map(found.scores(table), segments, found.profiles), "png"),
            "sizes": picture(sizes_plot(found.profiles), "svg"),
            "choice": picture(choice_plot(found.candidates), "svg") if found.candidates else "",
            "traits": picture(traits_plot(found.profiles), "svg"),
        },
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")


def picture(figure: Figure, format_: str) -> str:
    """A figure as a `data:` address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format_, dpi=130)
    media = "image/svg+xml" if format_ == "svg" else f"image/{format_}"
    return f"data:{media};base64,{base64.b64encode(buffer.getvalue()).decode()}"
