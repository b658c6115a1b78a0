"""One HTML file a marketer can read: who the segments are, how sure that is, and how it was found."""

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
    """What a report can show beside the segmentation itself, each part if it is known."""

    moves: pa.Table | None = None
    validity: Sequence[PredictiveValidity] = ()


def write_report(
    file: Path,
    found: Segmentation,
    table: pa.Table,
    settings: SegmentationSettings,
    evidence: ReportSupplement | None = None,
) -> None:
    """Write the report of a segmentation of `table`; the file needs no other.

    Segments too small to have a profile are counted but not described.
    """
    evidence = evidence or ReportSupplement()
    wording = FeatureLabels(settings.labels)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "label": wording.label,
        "number": format_number,
        "readable": to_words,
        "signal": describe_signal,
    }
    colours = {profile.segment: segment_colour(place) for place, profile in enumerate(found.profiles)}
    segments = found.assign(table).column("segment").to_numpy()
    moves = _told_moves(evidence.moves, settings.minimum_segment_size)
    figures = {"map": (plot_user_map(found.scores(table), segments, found.profiles), "png")}
    if len(found.profiles) > 1:
        figures["traits"] = (plot_traits(found.profiles, wording), "svg")
    if found.candidates:
        figures["choice"] = (plot_choice(found.candidates), "svg")
    if moves:
        figures["migration"] = (plot_migration(moves, colours), "svg")
    html = environment.get_template(TEMPLATE).render(
        found=found,
        users=table.num_rows,
        cards=[_card(profile, wording, colours) for profile in found.profiles],
        colours={**colours, NOISE: NOISE_COLOUR},
        names={**dict(zip(found.ids, found.names, strict=True)), NOISE: "No segment"},
        hidden=len(found.ids) - len(found.profiles),
        minimum_size=settings.minimum_segment_size,
        value=wording.value,
        funnel=_funnel(found.profiles),
        validity=evidence.validity,
        moves=moves.to_pylist() if moves else [],
        pictures={name: encode_figure(figure, format_) for name, (figure, format_) in figures.items()},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")


def _told_moves(moves: pa.Table | None, minimum_size: int) -> pa.Table | None:
    """Moves of enough people to be told; None if there are none."""
    told = moves.filter(pc.greater_equal(moves["users"], minimum_size)) if moves else None
    return told if told and told.num_rows else None


def _card(profile: SegmentProfile, wording: FeatureLabels, colours: dict[int, str]) -> dict[str, Any]:
    """A profile with what its card draws."""
    return {
        "profile": profile,
        "colour": colours[profile.segment],
        "bars": [
            {
                "label": wording.label(trait.feature),
                "here": wording.value(trait.feature, trait.mean),
                "there": wording.value(trait.feature, trait.mean_outside),
                "effect": trait.effect,
                "width": 50 * min(abs(trait.effect), 3.0) / 3.0,
            }
            for trait in profile.traits[: TRAITS_SHOWN if profile.share < 1 else 0]
        ],
        "words": [word for word in profile.words if word.column not in _told_elsewhere(profile)],
        "weeks": _sparkline(profile.behaviour.weekly_users) if profile.behaviour else "",
    }


def _told_elsewhere(profile: SegmentProfile) -> set[str]:
    """Columns that the card tells as interests or visits."""
    return {
        *(profile.behaviour.mixes if profile.behaviour else ()),
        *(["top_category"] if profile.interests else []),
    }


def _sparkline(values: Sequence[int]) -> str:
    """Points of an SVG polyline from left to right, 0 at the bottom; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    width, height = SPARKLINE
    top = max(*values, 1)
    return " ".join(
        f"{place * width / (len(values) - 1):.1f},{height - 2 - (height - 4) * value / top:.1f}"
        for place, value in enumerate(values)
    )


def _funnel(profiles: Sequence[SegmentProfile]) -> list[dict[str, Any]]:
    """Of each segment with a funnel: share of visits that reach each step, bar's width in %, and loss."""
    told = [p for p in profiles if p.behaviour and p.behaviour.funnel.get("cart")]
    shares = {
        p.segment: [p.behaviour.funnel[step] / p.behaviour.funnel["view"] for step in FUNNEL]
        for p in told
        if p.behaviour
    }
    largest = [max((own[step] for own in shares.values()), default=0.0) for step in range(len(FUNNEL))]
    return [
        {
            "profile": profile,
            "steps": [
                {
                    "share": own[step],
                    "width": 100 * own[step] / largest[step] if largest[step] else 0.0,
                    "lost": 1 - own[step] / own[step - 1] if step and own[step - 1] else None,
                }
                for step in range(len(FUNNEL))
            ],
        }
        for profile in told
        for own in [shares[profile.segment]]
    ]


def encode_figure(figure: Figure, format_: str) -> str:
    """A figure as a `data:` address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format_, dpi=130)
    media = "image/svg+xml" if format_ == "svg" else f"image/{format_}"
    return f"data:{media};base64,{base64.b64encode(buffer.getvalue()).decode()}"
