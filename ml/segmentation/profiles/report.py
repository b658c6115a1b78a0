"""Write one HTML file for marketers: who the segments are, how reliable they are, and how they were learned."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from ml.events.contract import CUSTOM_PREFIX
from ml.pages.templates import page_templates
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.clusters.validation import PredictiveValidity
from ml.segmentation.profiles.advice import advise
from ml.segmentation.profiles.behaviour import FUNNEL
from ml.segmentation.profiles.figures import (
    NOISE_COLOUR,
    plot_choice,
    plot_migration,
    plot_traits,
    plot_user_map,
    segment_colour,
)
from ml.segmentation.profiles.labels import FeatureLabels, describe_visit, format_number, to_words
from ml.segmentation.profiles.personas import find_mixes, select_clear_traits
from ml.segmentation.profiles.profiles import SegmentProfile
from ml.segmentation.segmentation import Segmentation
from ml.settings.segmentation import SegmentationSettings

TEMPLATE = "report.html.j2"
TRAITS_SHOWN = 6
STEP_NAMES = {"cart": "add to cart", "checkout": "checkout started", "purchase": "purchase"}
SPARKLINE = (120.0, 26.0)  # width and height in CSS pixels


@dataclass(frozen=True)
class ReportSupplement:
    """What a report can show in addition to the segmentation.

    Attributes:
        moves: users who moved between segments since the previous run.
        validity: how well the segments predict later outcomes.
        reading: sentences about how the table was read.
        goal: what a visit that converts does, such as `purchase`.
        signals: the small actions that go along with it, by the visits among which they do: rows of the table
            `signals`, which `ml.sequences.signals` tells. None where nobody asked.
    """

    moves: pa.Table | None = None
    validity: Sequence[PredictiveValidity] = ()
    reading: Sequence[str] = ()
    goal: str = "purchase"
    signals: Mapping[str, Sequence[Mapping[str, Any]]] | None = None


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
    environment = page_templates(Path(__file__).parent)
    environment.filters |= {
        "label": labels.label,
        "number": format_number,
        "words": to_words,
        "signal": describe_signal,
        "probability": format_probability,
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
        describe_visit=describe_visit,
        funnel=_build_funnel(segmentation.profiles),
        validity=supplement.validity,
        reading=supplement.reading,
        goal=supplement.goal,
        signals=supplement.signals,
        moves=moves.to_pylist() if moves else [],
        advice=advise(segmentation, settings),
        pictures={name: encode_figure(figure, format_) for name, (figure, format_) in figures.items()},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")


def describe_signal(name: str) -> str:
    """Write a micro-interaction as words: `hover:price` is "hover on price", `custom:zoom_in` is "zoom in"."""
    return name.removeprefix(CUSTOM_PREFIX).replace(":", " on ").replace("_", " ")


def _select_large_moves(moves: pa.Table | None, minimum_size: int) -> pa.Table | None:
    """Return the moves of enough people to be disclosed, or None if there are none."""
    large = moves.filter(pc.greater_equal(moves["users"], minimum_size)) if moves else None
    return large if large and large.num_rows else None


def _build_card(profile: SegmentProfile, labels: FeatureLabels, colours: dict[int, str]) -> dict[str, Any]:
    """Return a profile with what its card draws."""
    clear = select_clear_traits(profile.traits)
    mixes = profile.behaviour.mixes if profile.behaviour else {}
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
            for trait in clear[:TRAITS_SHOWN]
        ],
        "mixes": {name: mix for name, mix in mixes.items() if name not in find_mixes(clear)},
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
    """Return the funnel of each segment that has one: name, share of visits, bar width in % and loss of each step.

    All bars start at zero and have one scale: the largest share of visits after the view fills the width. A step
    at which no visit stopped is left out: the site may not report it.
    """
    behaviours = {p.segment: p.behaviour for p in profiles if p.behaviour and p.behaviour.funnel.get("cart")}
    funnels = [behaviour.funnel for behaviour in behaviours.values()]
    steps = [
        step
        for step, following in zip(FUNNEL, (*FUNNEL[1:], None), strict=True)
        if step == "view" or following is None or any(funnel[step] > funnel[following] for funnel in funnels)
    ]
    largest = max((funnel[step] / funnel["view"] for funnel in funnels for step in steps[1:]), default=0.0)
    return [
        {
            "profile": profile,
            "steps": [
                {
                    "name": STEP_NAMES[step],
                    "share": funnel[step] / funnel["view"],
                    "width": min(100.0, 100 * funnel[step] / funnel["view"] / largest),
                    "lost": 1 - funnel[step] / funnel[before] if funnel[before] else None,
                }
                for before, step in pairwise(steps)
            ],
        }
        for profile in profiles
        if profile.segment in behaviours
        for funnel in [behaviours[profile.segment].funnel]
    ]


def format_probability(value: float) -> str:
    """Write a p-value with two digits, `< .001` below that, and a dash where there is none."""
    if math.isnan(value):
        return "–"
    return "< .001" if value < 0.001 else f"{value:.2g}".removeprefix("0")


def encode_figure(figure: Figure, format_: str) -> str:
    """Encode a figure as a `data:` URL."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format_, dpi=130)
    media = "image/svg+xml" if format_ == "svg" else f"image/{format_}"
    return f"data:{media};base64,{base64.b64encode(buffer.getvalue()).decode()}"
