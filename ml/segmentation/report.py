"""One HTML file a marketer can read: who the segments are, how sure that is, and how it was found."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ml.segmentation.behaviour import Behaviour
from ml.segmentation.figures import (
    choice_plot,
    colour_of,
    funnel_plot,
    migration_plot,
    sizes_plot,
    traits_plot,
    user_map,
)
from ml.segmentation.segmentation import Segmentation
from ml.segmentation.validation import Validity

TEMPLATE = "report.html.j2"
TRAITS_SHOWN = 8


@dataclass(frozen=True)
class Evidence:
    """What a report can show beside the segmentation itself, each part if it is known."""

    moves: pa.Table | None = None
    behaviours: dict[int, Behaviour] = field(default_factory=dict)
    validity: Sequence[Validity] = ()


def write_report(
    file: Path, found: Segmentation, table: pa.Table, minimum_size: int, evidence: Evidence | None = None
) -> None:
    """Write the report of a segmentation of `table`; the file needs no other.

    Segments below `minimum_size` are counted but not described.
    """
    evidence = evidence or Evidence()
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    segments = found.assign(table).column("segment").to_numpy()
    names = dict(zip(found.ids, found.names, strict=True))
    shown = [
        (position, profile) for position, profile in enumerate(found.profiles) if profile.size >= minimum_size
    ]
    profiles = [profile for _, profile in shown]
    figures = {
        "map": (user_map(found.scores(table), segments, found.profiles), "png"),
        "sizes": (sizes_plot(found.profiles), "svg"),
        "traits": (traits_plot(found.profiles), "svg"),
    }
    if found.candidates:
        figures["choice"] = (choice_plot(found.candidates), "svg")
    if evidence.moves is not None and evidence.moves.num_rows:
        figures["migration"] = (migration_plot(evidence.moves), "svg")
    if any(behaviour.funnel for behaviour in evidence.behaviours.values()):
        figures["funnel"] = (funnel_plot(evidence.behaviours, profiles), "svg")
    html = environment.get_template(TEMPLATE).render(
        found=found,
        users=table.num_rows,
        profiles=[{"profile": profile, "colour": colour_of(position)} for position, profile in shown],
        colours={id_: colour_of(position) for position, id_ in enumerate(found.ids)},
        names=names,
        hidden=len(found.profiles) - len(shown),
        minimum_size=minimum_size,
        traits_shown=TRAITS_SHOWN,
        evidence=evidence,
        moves=evidence.moves.to_pylist() if evidence.moves is not None else [],
        pictures={name: picture(figure, format_) for name, (figure, format_) in figures.items()},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")


def picture(figure: Figure, format_: str) -> str:
    """A figure as a `data:` address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format_, dpi=130)
    media = "image/svg+xml" if format_ == "svg" else f"image/{format_}"
    return f"data:{media};base64,{base64.b64encode(buffer.getvalue()).decode()}"
