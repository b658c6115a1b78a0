"""The page Segments: the learned segments, their personas and their size over time."""

from __future__ import annotations

from serving.console.current_bundle import CurrentBundle
from serving.console.localized_texts import say
from serving.console.page_parts import Cell, ConsolePage, Sheet
from serving.console.view import View


def build_segments(bundle: CurrentBundle, _: View) -> ConsolePage:
    """Build the page. Segments are those of the newest run, so that dates and filters change nothing."""
    segments = bundle.tables.read("segments").to_pylist()
    runs = max((len(each["shares_before"] or ()) for each in segments), default=0)
    rows: list[list[Cell]] = [
        [each["segment"], each["people"], round(100 * each["share"], 1), each["persona"]] for each in segments
    ]
    sizes = Sheet(
        "segments",
        "Learned segments",
        ["Segment", "People", "Share %", "Persona"],
        rows,
        "People with a segment, by the segment that they are in now.",
        {
            "kind": "bar",
            "sideways": True,
            "x": [row[0] for row in rows],
            "series": [{"name": say("People"), "values": [row[1] for row in rows]}],
            "whole": True,
        },
        is_open=True,
        empty="There are no segments yet: they need people who consent to personalization and come several times. "
        "`tessera materialize` learns them.",
    )
    history = [_shares(each, runs) for each in segments]
    over_time = Sheet(
        "sizes",
        "Size over time",
        ["Segment", *(say("{runs} runs before %", runs=runs - number) for number in range(runs)), "Now %"],
        [[each["segment"], *shares] for each, shares in zip(segments, history, strict=True)] if runs else [],
        "Share of the people with a segment, by run of the segmentation.",
        {
            "kind": "line",
            "x": [*(f"−{runs - number}" for number in range(runs)), say("now")],
            "series": [
                {"name": each["segment"], "values": shares} for each, shares in zip(segments, history, strict=True)
            ],
        },
        empty="There was one run of the segmentation so far; sizes over time begin with the second one.",
    )
    return ConsolePage(sheets=[sizes, over_time])


def _shares(segment: dict[str, object], runs: int) -> list[float | None]:
    """The share of a segment in each run in percent; None for runs in which it was not there."""
    before = [float(share) for share in segment["shares_before"] or ()]  # type: ignore[attr-defined]
    missing: list[float | None] = [None] * (runs - len(before))
    return [*missing, *(round(100 * share, 1) for share in [*before, float(segment["share"])])]  # type: ignore[arg-type]
