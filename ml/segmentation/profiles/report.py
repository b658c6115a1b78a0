"""Write one HTML file for marketers: who the segments are, how reliable they are, and how they were learned."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.clusters.validation import PredictiveValidity
from ml.segmentation.profiles.behaviour import FUNNEL
from ml.segmentation.profiles.figures import (
    NOISE_COLOUR,
    plot_choice,
    plot_migration,
    plot_traits,
    plot_user_map,
    segment_colour,
)
from ml.segmentation.profiles.labels import FeatureLabels, format_number, to_words
from ml.segmentation.profiles.personas import describe_signal
from ml.segmentation.profiles.profiles import SegmentProfile
from ml.segmentation.segmentation import Segmentation
from ml.settings.segmentation import SegmentationSettings

TEMPLATE = "report.html.j2"
TRAITS_SHOWN = 6
SPARKLINE = (120.0, 26.0)  # width and height in CSS pixels


@dataclass(frozen=True)
class ReportSupplement:
    """What a report can show in addition to the segmentation.

    Attributes:
        moves: users who moved between segments since the previous run.
        validity: how well the segments predict later outcomes.
    """

    moves: pa.Table | None = None
    validity: Sequence[PredictiveValidity] = ()


def write_report(
    file: Path,
    segmentation: Segmentation,
    table: pa.Table,
    settings: SegmentationSettings,
    supplement: ReportSupplement | None = None,
) -> None:
    """Write a self-contained report of a segmentation of `table`.

    Segments that are too small to have a profile are counted but not described.

    Args:
        file: file to write.
        segmentation: the segmentation.
        table: the users to report on.
        settings: the section `segmentation` of the settings.
        supplement: what else to show.
    """
    supplement = supplement or ReportSupplement()
    labels = FeatureLabels(settings.labels)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "label": labels.label,
        "number": format_number,
        "words": to_words,
        "signal": describe_signal,
    }
    colours = {profile.segment: segment_colour(place) for place, profile in enumerate(segmentation.profiles)}
    segments = segmentation.assign(table).column("segment").to_numpy()
    moves = _select_large_moves(supplement.moves, settings.minimum_segment_size)
    figures = {"map": (plot_user_map(segmentation.scores(table), segments, segmentation.profiles), "png")}
    if len(segmentation.profiles) > 1:
        figures["traits"] = (plot_traits(segmentation.profiles, labels), "svg")
    if segmentation.candidates:
        figures["choice"] = (plot_choice(segmentation.candidates), "svg")
    if moves:
        figures["migration"] = (plot_migration(moves, colours), "svg")
    html = environment.get_template(TEMPLATE).render(
        segmentation=segmentation,
        users=table.num_rows,
        cards=[_build_card(profile, labels, colours) for profile in segmentation.profiles],
        colours={**colours, NOISE: NOISE_COLOUR},
        names={**dict(zip(segmentation.ids, segmentation.names, strict=True)), NOISE: "No segment"},
        hidden=len(segmentation.ids) - len(segmentation.profiles),
        minimum_size=settings.minimum_segment_size,
        value=labels.value,
        funnel=_build_funnel(segmentation.profiles),
        validity=supplement.validity,
        moves=moves.to_pylist() if moves else [],
        pictures={name: encode_figure(figure, format_) for name, (figure, format_) in figures.items()},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")


def _select_large_moves(moves: pa.Table | None, minimum_size: int) -> pa.Table | None:
    """Return the moves of enough people to be disclosed, or None if there are none."""
    large = moves.filter(pc.greater_equal(moves["users"], minimum_size)) if moves else None
    return large if large and large.num_rows else None


def _build_card(profile: SegmentProfile, labels: FeatureLabels, colours: dict[int, str]) -> dict[str, Any]:
    """Return a profile with what its card draws."""
    return {
        "profile": profile,
        "colour": colours[profile.segment],
        "bars": [
            {
                "label": labels.label(trait.feature),
                "here": labels.value(trait.feature, trait.mean),
                "there": labels.value(trait.feature, trait.mean_outside),
                "effect": trait.effect,
                "width": 50 * min(abs(trait.effect), 3.0) / 3.0,
            }
            for trait in profile.traits[: TRAITS_SHOWN if profile.share < 1 else 0]
        ],
        "words": [word for word in profile.words if word.column not in _find_shown_columns(profile)],
        "weeks": _draw_sparkline(profile.behaviour.weekly_users) if profile.behaviour else "",
    }


def _find_shown_columns(profile: SegmentProfile) -> set[str]:
    """Return the columns that the card already shows as interests or visits."""
    return {
        *(profile.behaviour.mixes if profile.behaviour else ()),
        *(["top_category"] if profile.interests else []),
    }


def _draw_sparkline(values: Sequence[int]) -> str:
    """Return the points of an SVG polyline, 0 at the bottom; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    width, height = SPARKLINE
    top = max(*values, 1)
    return " ".join(
        f"{place * width / (len(values) - 1):.1f},{height - 2 - (height - 4) * value / top:.1f}"
        for place, value in enumerate(values)
    )


def _build_funnel(profiles: Sequence[SegmentProfile]) -> list[dict[str, Any]]:
    """Return the funnel of each segment that has one: share of visits, bar width in % and loss."""
    funnel_profiles = [p for p in profiles if p.behaviour and p.behaviour.funnel.get("cart")]
    shares = {
        p.segment: [p.behaviour.funnel[step] / p.behaviour.funnel["view"] for step in FUNNEL]
        for p in funnel_profiles
        if p.behaviour
    }
    largest = [max((steps[step] for steps in shares.values()), default=0.0) for step in range(len(FUNNEL))]
    return [
        {
            "profile": profile,
            "steps": [
                {
                    "share": steps[step],
                    "width": 100 * steps[step] / largest[step] if largest[step] else 0.0,
                    "lost": 1 - steps[step] / steps[step - 1] if step and steps[step - 1] else None,
                }
                for step in range(len(FUNNEL))
            ],
        }
        for profile in funnel_profiles
        for steps in [shares[profile.segment]]
    ]


def encode_figure(figure: Figure, format_: str) -> str:
    """Encode a figure as a `data:` URL."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format_, dpi=130)
    media = "image/svg+xml" if format_ == "svg" else f"image/{format_}"
    return f"data:{media};base64,{base64.b64encode(buffer.getvalue()).decode()}"
