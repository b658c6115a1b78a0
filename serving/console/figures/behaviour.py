"""The page Behaviour: paths, pages, items, small actions, funnels, retention and hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.console.funnels import FunnelStage, collect_funnel_parts, collect_funnels, collect_steps
from ml.console.pages import PageFigures, collect_pages
from ml.console.paths import ENDS, Node, PathFlows, follow_visits, surround_page
from ml.console.retention import collect_cohorts
from ml.console.tables import DIMENSIONS, OTHER, START
from ml.console.visits import collect_dayparts
from ml.usage.funnel_steps import CountedSteps
from serving.console.current_bundle import CurrentBundle
from serving.console.figures.actions import build_action_sheets
from serving.console.figures.overview import HEADINGS
from serving.console.formats import WEEKDAYS, format_step, name_page, name_value, percent_number
from serving.console.localized_texts import Day, Sentences, say
from serving.console.page_parts import Cell, ConsolePage, Sheet, chart_bars
from serving.console.view import View
from serving.errors import ApiError

EXTRA = ("page", "by")
STEPS, PAGES_SHOWN, AROUND_SHOWN = 4, 6, 10
PARTS_SHOWN = 5
LABELLED_WEEKS = 9


def build_behaviour(bundle: CurrentBundle, view: View) -> ConsolePage:
    """Build the page.

    Raises:
        ApiError: 422, the page or the dimension that the address names is none.
    """
    by = view.extra.get("by", "device")
    if by not in DIMENSIONS:
        raise ApiError(422, f"by is {by[:40]!r}; it may be {', '.join(DIMENSIONS)}", "by")
    pages = collect_pages(bundle.tables, view.selection)
    return ConsolePage(
        sheets=[
            _paths(bundle, view),
            _pages(bundle, pages),
            *build_action_sheets(bundle, view, pages),
            *_funnels(bundle, view, by),
            _retention(bundle, view),
            _dayparts(bundle, view),
        ]
    )


def _pages(bundle: CurrentBundle, pages: Sequence[PageFigures]) -> Sheet:
    rows: list[list[Cell]] = []
    for each in pages:
        address = "" if each.page == OTHER else bundle.tables.pages[each.page]["page_key"]
        dwell = None if each.dwell_seconds is None else round(each.dwell_seconds, 1)
        exits = round(100 * each.exits / each.views, 1)
        name = name_page(bundle.tables, each.page)
        rows.append([name, address, each.views, each.entries, each.exits, exits, each.bounces, dwell])
    fewest = bundle.tables.about["fewest_people"]
    return Sheet(
        "pages",
        "Pages",
        ["Page", "Address", "Views", "Entries", "Exits", "Exits %", "Bounces", "Attention s"],
        rows,
        say(
            "Pages that fewer than {fewest} people ever viewed are counted together as other pages.", fewest=fewest
        ),
        chart_bars(rows, {"Views": 2}),
        is_tall=True,
        is_half=True,
    )


def _paths(bundle: CurrentBundle, view: View) -> Sheet:
    """Build the flows of all visits, or those around the page that the address names."""
    tables, chosen = bundle.tables, view.extra.get("page")
    if chosen is None:
        flows = follow_visits(tables, view.selection, STEPS, PAGES_SHOWN)
        title = say("Paths of visits")
        note = say(
            "{visits} visits, each from its beginning through its first {steps} pages. What flows into a page"
            " flows out of it, to another page or to the end of the visit; the last layer goes on.",
            visits=flows.total,
            steps=STEPS,
        )
    else:
        number = _page_number(bundle, chosen)
        flows = surround_page(tables, view.selection, number, AROUND_SHOWN)
        title = say("Before and after {page}", page=name_page(tables, number))
        note = say("{views} views of the page: what came before each, and what came after.", views=flows.total)
    links = sorted(flows.links.items(), key=lambda link: (link[0][0][0], -link[1], link[0]))
    rows: list[list[Cell]] = [
        [origin[0], name_page(tables, origin[1]), name_page(tables, target[1]), moves]
        for (origin, target), moves in links
    ]
    chart = _sankey(bundle, flows) if rows else None
    return Sheet("paths", title, ["Step", "From", "To", "Moves"], rows, note, chart, is_tall=True)


def _page_number(bundle: CurrentBundle, text: str) -> int:
    for number in bundle.tables.pages:
        if str(number) == text:
            return number
    raise ApiError(422, f"there is no page {text[:40]!r} in the current bundle", "page")


def _sankey(bundle: CurrentBundle, flows: PathFlows) -> Mapping[str, Any]:
    nodes = sorted({node for link in flows.links for node in link})

    def key(node: Node) -> str:
        return f"{node[0]} {node[1]}"

    def name(node: Node) -> str:
        return name_page(bundle.tables, node[1])

    first = nodes[0][0]
    return {
        "kind": "sankey",
        "nodes": [
            {
                "key": key(node),
                "name": name(node),
                "value": flows.out_of(node) if node[0] == first else flows.into(node),
                "depth": node[0],
                "colour": node[1],
                "muted": node[1] in ENDS or node[1] in (OTHER, START),
            }
            for node in nodes
        ],
        "links": [
            {
                "source": key(origin),
                "target": key(target),
                "value": moves,
                "from": name(origin),
                "to": name(target),
            }
            for (origin, target), moves in flows.links.items()
        ],
    }


def _funnels(bundle: CurrentBundle, view: View, by: str) -> list[Sheet]:
    """Build a sheet for each funnel: all of its visits or people, and those of each value of a dimension."""
    sheets = []
    columns = [HEADINGS[by], "Step", "Entered", "% of the first step", "From %", "To %", "Lost", "Lost %"]
    funnels = collect_funnels(bundle.tables, view.selection)
    for funnel, steps in collect_steps(bundle.tables).items():
        title = say("Funnel {name}", name=funnel.replace("_", " "))
        if funnel not in funnels:
            nobody = Sentences(say("Nobody entered it on these dates with these filters."), _describe_steps(steps))
            empty = nobody if steps.counted else _describe_steps(steps)
            sheets.append(Sheet(f"funnel-{funnel}", title, columns, [], is_half=True, empty=empty))
            continue
        stages = funnels[funnel]
        parts = collect_funnel_parts(bundle.tables, view.selection, funnel, by)
        named = {say("All"): stages} | {name_value(by, value): part for value, part in parts.items()}
        shown = list(named.items())[: PARTS_SHOWN + 1]
        chart = {
            "kind": "bar",
            "x": [format_step(stage.step) for stage in stages],
            "series": [
                {"name": name, "values": [percent_number(stage.of_first) for stage in part]}
                for name, part in shown
            ],
        }
        note = say(
            "Per cent of those at the first step, by {part}; the table has every part, with 95% intervals from 20 "
            "visits or people on.",
            part=say(HEADINGS[by].lower()),
        )
        rows = [row for name, part in named.items() for row in _stage_rows(name, part)]
        sheets.append(
            Sheet(
                f"funnel-{funnel}",
                title,
                columns,
                rows,
                Sentences(note, _describe_steps(steps)),
                chart,
                is_half=True,
            )
        )
    return sheets


def _describe_steps(steps: CountedSteps) -> str:
    """Say which steps of a funnel do not count; nothing where all do."""
    if not steps.left_out:
        return ""
    left_out, sent = (", ".join(map(format_step, some)) for some in (steps.left_out, steps.sent))
    if steps.counted:
        return say("Left out, because the site has never sent such an event: {steps}.", steps=left_out)
    return say(
        "Not counted: of the two steps that a funnel needs, the site sends {sent}. Never sent: {steps}.",
        sent=sent or say("none of them"),
        steps=left_out,
    )


def _stage_rows(name: str, stages: Sequence[FunnelStage]) -> list[list[Cell]]:
    return [
        [
            name,
            stage.step,
            stage.entered,
            percent_number(stage.of_first),
            _percent(stage.of_first.low),
            _percent(stage.of_first.high),
            stage.lost,
            percent_number(stage.lost_share),
        ]
        for stage in stages
    ]


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _retention(bundle: CurrentBundle, view: View) -> Sheet:
    cohorts = collect_cohorts(bundle.tables, view.selection)
    weeks = max((len(cohort.active) for cohort in cohorts), default=0)
    rows: list[list[Cell]] = [
        [
            Day(cohort.week),
            cohort.people,
            *(
                round(100 * cohort.active[number] / cohort.people, 1) if number < len(cohort.active) else None
                for number in range(weeks)
            ),
        ]
        for cohort in cohorts
    ]
    # All people of a cohort come in week 0, which would outshine every other week.
    chart = {
        "kind": "heat",
        "name": say("% of the people"),
        "x": [say("Week {number}", number=number) for number in range(1, weeks)],
        "y": [row[0] for row in rows],
        "cells": [
            [column, place, value]
            for place, row in enumerate(rows)
            for column, value in enumerate(row[3:])
            if value is not None
        ],
        "most": max((value for row in rows for value in row[3:] if isinstance(value, float)), default=0),
        "labels": weeks <= LABELLED_WEEKS,
    }
    notes = ["Per cent of the people who first came in a week, from Monday, and came again in each week after it."]
    if cohorts and not cohorts[-1].last_is_whole:
        notes.append("The last week of each row is not over.")
    if set(view.selection.filters) - {"segment"}:
        notes.append("Only the segment filters here: a person's visits may differ in device, country and source.")
    columns = [
        "Week of the first visit",
        "People",
        *(say("Week {number} %", number=number) for number in range(weeks)),
    ]
    return Sheet(
        "retention",
        "Retention",
        columns,
        rows,
        Sentences(*map(say, notes)),
        chart if weeks > 1 else None,
        is_half=True,
    )


def _dayparts(bundle: CurrentBundle, view: View) -> Sheet:
    counts = collect_dayparts(bundle.tables, view.selection)
    rows: list[list[Cell]] = [
        [say(name), *(counts.get((day, hour), (0, 0))[0] for hour in range(24))]
        for day, name in enumerate(WEEKDAYS, 1)
    ]
    chart = {
        "kind": "heat",
        "name": say("Visits"),
        "x": [f"{hour:02}" for hour in range(24)],
        "y": [say(name) for name in WEEKDAYS],
        "cells": [[hour, day - 1, visits] for (day, hour), (visits, _) in counts.items()],
        "most": max((visits for visits, _ in counts.values()), default=0),
    }
    note = "Visits by the hour in which they began, by the visitor's clock."
    columns = ["Weekday", *(f"{hour:02}" for hour in range(24))]
    return Sheet("dayparts", "Hours", columns, rows if counts else [], note, chart, is_half=True)
