"""The page Audience: people and visits by source, campaign, device, country and segment."""

from __future__ import annotations

from ml.console.visits import VisitFigures, collect_campaigns, collect_parts, collect_totals
from serving.console.current_bundle import CurrentBundle
from serving.console.figures.overview import HEADINGS, timeline
from serving.console.figures.world_map import draw_world
from serving.console.formats import (
    find_direction,
    format_change,
    format_count,
    format_interval,
    format_percent,
    format_points,
    is_outside,
    name_value,
    percent_number,
)
from serving.console.localized_texts import say
from serving.console.page_parts import Card, Cell, ConsolePage, Sheet, chart_bars
from serving.console.view import View

MEASURES = ("Visits", "Page views", "With a purchase %", "From %", "To %", "Bounces %", "Revenue")
TITLES = {"channel": "Sources", "device": "Devices", "country": "Countries", "segment": "Segments"}


def build_audience(bundle: CurrentBundle, view: View) -> ConsolePage:
    """Build the page."""
    return ConsolePage(
        cards=_cards(bundle, view),
        sheets=[
            timeline(bundle, view),
            *(_parts(bundle, view, name) for name in TITLES),
            _campaigns(bundle, view),
        ],
        live="/console/audience/live",
    )


def _cards(bundle: CurrentBundle, view: View) -> list[Card]:
    now = collect_totals(bundle.tables, view.selection)
    before = collect_totals(bundle.tables, view.before) if view.before is not None else None
    cards = []
    for label, name in (("Visitors", "visitors"), ("Visits", "visits"), ("Page views", "page_views")):
        value, earlier = getattr(now, name), getattr(before, name) if before is not None else None
        # without a colour: two counts do not say whether such a change is usual
        cards.append(Card(label, format_count(value), "", format_change(value, earlier)))
    conversion = (now.conversion, before.conversion.value if before is not None else None)
    bounce = (now.bounce, before.bounce.value if before is not None else None)
    for label, (ratio, earlier), is_good in (
        ("Visits with a purchase", conversion, True),
        ("Bounces", bounce, False),
    ):
        direction = find_direction(ratio.value, earlier) if is_good else find_direction(earlier, ratio.value)
        direction = direction if is_outside(earlier, ratio) else ""  # a colour within the interval would be noise
        points = format_points(ratio.value, earlier)
        cards.append(Card(label, format_percent(ratio.value), format_interval(ratio), points, direction))
    return cards


def _parts(bundle: CurrentBundle, view: View, dimension: str) -> Sheet:
    parts = collect_parts(bundle.tables, view.selection, dimension)
    ordered = sorted(parts.items(), key=lambda part: (-part[1].visits, part[0]))
    rows = [[name_value(dimension, key[0]), part.visitors, *_measures(part)] for key, part in ordered]
    note = "" if dimension == "segment" else "Who came with several of them counts in each, and once in the total."
    columns = [HEADINGS[dimension], "Visitors", *MEASURES]
    chart = chart_bars(rows, {"Visits": 2})
    if dimension == "country":
        chart = draw_world({key[0]: part.visits for key, part in ordered}) or chart
    return Sheet(dimension, TITLES[dimension], columns, rows, note, chart, is_half=True)


def _campaigns(bundle: CurrentBundle, view: View) -> Sheet:
    campaigns = collect_campaigns(bundle.tables, view.selection)
    ordered = sorted(campaigns.items(), key=lambda part: (part[0] == ("", ""), -part[1].visits, part[0]))
    rows = [[_name_campaign(*key), key[1], *_measures(part)] for key, part in ordered]
    fewest = bundle.tables.about["fewest_people"]
    return Sheet(
        "campaigns",
        "Campaigns",
        ["Campaign", "Source", *MEASURES],
        rows,
        say(
            "By utm_campaign and utm_source of the address that a visit began at. Campaigns of fewer than"
            " {fewest} people are counted together as other campaigns.",
            fewest=fewest,
        ),
        chart_bars(rows, {"Visits": 2}),
        is_half=True,
        empty="No visit of these dates and filters began at an address with utm_campaign or utm_source.",
    )


def _name_campaign(campaign: str, source: str) -> str:
    return campaign or (say("Without a campaign's name") if source else say("Other campaigns"))


def _measures(part: VisitFigures) -> list[Cell]:
    """Return what stands under MEASURES."""
    return [
        part.visits,
        part.page_views,
        percent_number(part.conversion),
        None if part.conversion.low is None else round(100 * part.conversion.low, 2),
        None if part.conversion.high is None else round(100 * part.conversion.high, 2),
        percent_number(part.bounce),
        round(part.revenue, 2),
    ]
