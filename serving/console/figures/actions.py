"""The sheets of the page Behaviour on items, small actions, and dead and rage clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ml.console.actions import PageActions, VainClicks, count_actions_of_pages, list_vain_clicks, sum_actions
from ml.console.items import collect_items
from ml.console.pages import PageFigures
from serving.console.current_bundle import CurrentBundle
from serving.console.formats import format_action, name_page
from serving.console.localized_texts import say
from serving.console.page_parts import Cell, Sheet, chart_bars
from serving.console.view import View


def build_action_sheets(bundle: CurrentBundle, view: View, pages: Sequence[PageFigures]) -> list[Sheet]:
    """Build the sheets of a view, whose pages have these figures."""
    of_pages = count_actions_of_pages(bundle.tables, view.selection)
    return [
        _items(bundle, view),
        _vain_clicks(bundle, of_pages, pages),
        _actions(bundle, view, of_pages),
        _signals(bundle),
    ]


def _items(bundle: CurrentBundle, view: View) -> Sheet:
    rows: list[list[Cell]] = [
        [
            item.title or item.item_id,
            item.item_id,
            item.views,
            None if item.dwell_seconds is None else round(item.dwell_seconds, 1),
            None if item.scrolled_percent is None else round(item.scrolled_percent, 1),
            item.add_to_carts,
            item.purchases,
        ]
        for item in collect_items(bundle.tables, view.selection)
    ]
    fewest = bundle.tables.about["fewest_people"]
    return Sheet(
        "items",
        "Items",
        ["Item", "Id", "Views", "Attention s", "Scrolled to %", "Into a cart", "Purchases"],
        rows,
        say(
            "The most viewed items that at least {fewest} people ever viewed. Attention and the depth of the"
            " scroll are means of the views of which they are known.",
            fewest=fewest,
        ),
        chart_bars(rows, {"Views": 2}),
        is_tall=True,
        is_half=True,
    )


def _vain_clicks(bundle: CurrentBundle, of_pages: PageActions, pages: Sequence[PageFigures]) -> Sheet:
    views = {each.page: each.views for each in pages}

    def row(page: VainClicks) -> list[Cell]:
        viewed = views.get(page.page, 0)
        per_views = round(100 * (page.dead + page.rage) / viewed, 2) if viewed else None
        return [name_page(bundle.tables, page.page), viewed, page.clicks, page.dead, page.rage, per_views]

    rows = [row(page) for page in list_vain_clicks(of_pages)]
    return Sheet(
        "vain-clicks",
        "Dead and rage clicks",
        ["Page", "Views", "Clicks", "Dead clicks", "Rage clicks", "Per 100 views"],
        rows,
        "Dead clicks had no effect; rage clicks are at least the third on one element within a moment. They are "
        "counted where the tracker reports them or sends the clicks.",
        chart_bars(rows, {"Dead clicks": 3, "Rage clicks": 4}),
        is_half=True,
        empty="There were no dead or rage clicks on these dates with these filters, as far as the tracker"
        " reports them.",
    )


def _actions(bundle: CurrentBundle, view: View, of_pages: PageActions) -> Sheet:
    visits = bundle.tables.sums("visits", view.selection, (), ("visits",))[0]["visits"]
    rows: list[list[Cell]] = [
        [format_action(action), times, round(100 * times / visits, 2) if visits else None]
        for action, times in sum_actions(of_pages).items()
    ]
    return Sheet(
        "actions",
        "Small actions",
        ["Action", "Times", "Per 100 visits"],
        rows,
        "What people did besides viewing pages. Actions of only a few people are counted together as other.",
        chart_bars(rows, {"Times": 1}),
        is_half=True,
    )


def _signals(bundle: CurrentBundle) -> Sheet:
    """Build the sheet of the actions that certainly go with more or less conversion."""
    signals = bundle.tables.read("signals")
    discoveries = signals.filter(signals["is_discovery"]) if signals.num_rows else signals
    rows = [_signal_row(row) for row in discoveries.to_pylist()]
    return Sheet(
        "signals",
        "Actions that go with conversion",
        ["Action", "Of", "Visits", "Converted %", "Unadjusted %", "Adjusted %", "From %", "To %"],
        rows,
        "How much more often visits with an action convert than visits that are alike in all else that is "
        "recorded, with a 95% interval; false discoveries are controlled. Only an experiment shows whether the "
        "action is the cause. It holds for all dates that were learned from, whatever is chosen above.",
        empty=_why_no_signals(signals),
    )


def _why_no_signals(signals: pa.Table) -> str:
    if not signals.num_rows:
        return "No action was compared: too few visits had one, or `tessera materialize` has not learned yet."
    return say("Of {comparisons} comparisons, none shows a certain difference.", comparisons=signals.num_rows)


def _signal_row(row: dict[str, Any]) -> list[Cell]:
    name = format_action(row["signal"])
    if row["comparison"] == "followed":
        following = format_action(row["then_signal"])
        name = say("{action}, then {following}", action=name, following=f"{following[:1].lower()}{following[1:]}")
    elif row["comparison"] == "dose":
        name = say("{action}, twice as much", action=name)
    people = say("everybody") if row["segment"] == "all" else row["segment"]
    shares = (row[key] for key in ("converted_with", "raw_lift", "lift", "lift_low", "lift_high"))
    return [name, people, row["visits"], *(None if share is None else round(100 * share, 2) for share in shares)]
