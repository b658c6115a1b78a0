"""The usage report says what the figures are, and what is missing."""

import datetime as dt
import html

import pyarrow as pa
import pytest

from ml.usage.figures import collect_figures
from ml.usage.ratios import Ratio
from ml.usage.report import format_seconds, format_share, render_report

MONDAY = dt.date(2026, 3, 2)
DAY = dt.timedelta(days=1)


def page(key, views):
    row = {"page_key": key, "title": f"{key} <b>", "views": views, "views_people": 30}
    for name, value in (
        ("exits", 5.0),
        ("entries", 4.0),
        ("bounces", 1.0),
        ("dwell_seconds", 90.0),
        ("dwells", 3.0),
    ):
        row[name] = value
    for one, other in (("exits", "views"), ("bounces", "entries"), ("dwell_seconds", "dwells")):
        row |= {f"{one}_{one}": row[one], f"{one}_{other}": row[one], f"{other}_{other}": row[other]}
        row[f"{other}_people"] = 30 if other == "views" else 3
    return row


def tables(days, retention=(), out=(0, 0, 0, 0)):
    totals = {"people": 40, "visits": 60.0, "converted": 6.0, "bounces": 12.0, "visits_people": 40}
    for name in ("converted", "bounces"):
        totals |= {f"{name}_{name}": totals[name], f"{name}_visits": totals[name], "visits_visits": 100.0}
    left_out = dict(zip(("bot_visits", "bot_views", "internal_visits", "internal_views"), out, strict=True))
    source = {"channel": "direct", **{k: v for k, v in totals.items() if k != "people"}}
    steps = {"form": ("form_start", "form_submit"), "purchase": ("page_view", "checkout", "purchase", "signup")}
    numbers = {"page_view": 1, "purchase": 2, "signup": 3}
    funnel_steps = [
        {"funnel": name, "step": step, "is_sent": step in numbers, "step_number": numbers.get(step)}
        for name, names in steps.items()
        for step in names
    ]
    funnel = [
        {"funnel": "purchase", "step_number": 1, "step": "page_view", "entered": 100},
        {"funnel": "purchase", "step_number": 2, "step": "purchase", "entered": 25},
    ]
    move = {"from_page": "/", "from_title": None, "to_page": "/a", "to_title": "A", "moves": 5, "views": 20}
    return {
        "days": pa.Table.from_pylist(days),
        "totals": pa.Table.from_pylist([totals]),
        "left_out": pa.Table.from_pylist([left_out]),
        **{
            name: pa.Table.from_pylist([page("/", 20.0), page("/a", 10.0)])
            for name in ("pages", "entries", "exits")
        },
        "moves": pa.Table.from_pylist([move]),
        "funnels": pa.Table.from_pylist(funnel),
        "funnel_steps": pa.Table.from_pylist(funnel_steps),
        "retention": pa.Table.from_pylist(list(retention)),
        "sources": pa.Table.from_pylist([source]),
    }


def day(place, sessions=1):
    return {"date": MONDAY + place * DAY, "sessions": sessions, "page_views": 2 * sessions, "purchases": 0}


def test_a_day_without_a_visit_is_a_bar_of_zero():
    figures = collect_figures(tables([day(0, 3), day(2, 5)]))
    assert [(period.first, period.visits) for period in figures.periods] == [
        (MONDAY, 3), (MONDAY + DAY, 0), (MONDAY + 2 * DAY, 5)
    ]  # fmt: skip


def test_a_long_time_is_shown_by_weeks_and_tells_which_are_whole():
    figures = collect_figures(tables([day(place) for place in range(3, 75)]))
    assert [period.days for period in figures.periods] == [4, *[7] * 9, 5]
    assert sum(period.visits for period in figures.periods) == 72


@pytest.mark.parametrize(("first", "last", "length"), [(0, 61, "day"), (6, 75, "week"), (0, 75, "week")])
def test_a_plot_names_the_length_of_its_bars_whatever_the_first_weekday(first, last, length):
    page = render_report(collect_figures(tables([day(place) for place in range(first, last + 1)])))
    assert f"A bar is a {length};" in page
    assert f"Visits per {length}<" in page


def test_a_site_that_sells_nothing_has_no_figures_of_purchases():
    unsold = render_report(collect_figures(tables([day(0)])))
    assert "of the visits brought a purchase" not in unsold
    assert "Purchases per day" not in unsold
    assert "Visits with a purchase" not in unsold
    sold = render_report(collect_figures(tables([day(0) | {"purchases": 1}])))
    assert "of the visits brought a purchase" in sold
    assert "Purchases per day" in sold
    assert "Visits with a purchase" in sold


def test_a_week_in_which_nobody_came_back_counts_and_one_that_has_not_ended_does_not():
    rows = [
        {"cohort_week": MONDAY, "week_number": 0, "cohort_users": 40, "active_users": 40},
        {"cohort_week": MONDAY, "week_number": 2, "cohort_users": 40, "active_users": 10},
        {"cohort_week": MONDAY + 7 * DAY, "week_number": 0, "cohort_users": 60, "active_users": 60},
        {"cohort_week": MONDAY + 7 * DAY, "week_number": 1, "cohort_users": 60, "active_users": 30},
        {"cohort_week": MONDAY + 21 * DAY, "week_number": 0, "cohort_users": 5, "active_users": 5},
    ]
    figures = collect_figures(tables([day(0), day(22)], rows))  # the last day is a Tuesday
    assert [(cohort.people, list(cohort.active)) for cohort in figures.cohorts] == [
        (40, [40, 0, 10]),
        (60, [60, 30]),
    ]
    assert [share.value for share in figures.retention] == [30 / 100, 10 / 40]


def test_the_bars_of_a_funnel_have_one_scale_and_say_who_was_lost():
    figures = collect_figures(tables([day(0)]))
    first, last = figures.funnels["purchase"]
    assert (first.of_first.value, last.of_first.value, last.lost, last.lost_share.value) == (1.0, 0.25, 75, 0.75)
    text = render_report(figures)
    assert "width: 100.0%" in text
    assert "width: 25.0%" in text
    assert "75 lost since the step before: 75%" in text


def test_a_step_that_nobody_came_to_is_named():
    text = render_report(collect_figures(tables([day(0)])))
    assert "Nobody came to signup." in text
    assert "warehouse.funnels" in text


def test_steps_that_the_site_never_sends_are_named_and_a_funnel_of_none_is_not_counted():
    text = render_report(collect_figures(tables([day(0)])))
    assert "Left out, because the site has never sent such an event: checkout." in text
    assert "the site sends none. Never sent: form start, form submit." in text


def test_entries_and_exits_of_too_few_people_are_said_to_be_missing():
    without = tables([day(0)])
    assert "page was used by enough people" not in render_report(collect_figures(without))
    without |= {name: without[name].slice(0, 0) for name in ("entries", "exits")}
    text = render_report(collect_figures(without))
    assert "No entry page was used by enough people to be shown." in text
    assert "No exit page was used by enough people to be shown." in text


def test_moves_of_too_few_people_are_said_to_be_missing():
    without = tables([day(0)])
    assert "too few people to be shown" not in render_report(collect_figures(without))
    without["moves"] = without["moves"].slice(0, 0)
    assert "Each move was made by too few people to be shown." in render_report(collect_figures(without))


def test_what_pages_are_called_is_text_and_not_markup():
    text = render_report(collect_figures(tables([day(0)])))
    assert "/a &lt;b&gt;" in text
    assert "<b>/a" not in text


def test_a_site_without_visits_says_so():
    empty = tables([day(0)])
    empty["totals"] = empty["totals"].set_column(0, "people", pa.array([0]))
    assert "Nobody has visited the site yet" in render_report(collect_figures(empty))


def test_shares_and_seconds_are_written_as_exactly_as_they_are_known():
    assert format_share(Ratio(0.0147, 0.0133, 0.0162, 900)) == "1.5% (1.3–1.6)"
    assert format_share(Ratio(0.4, 0.35, 0.46, 90)) == "40% (35–46)"
    assert format_share(Ratio(0.4, None, None, 9)) == "40%"
    assert format_share(Ratio(None, None, None, 0)) == "–"
    assert format_seconds(Ratio(41.6, 39.2, 44.9, 90)) == "42 s (39–45)"


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ((385, 25728, 0, 0), "Not counted: 25,728 page views in 385 visits of bots."),
        ((2, 30, 3, 4), "30 page views in 2 visits of bots, 4 in 3 visits of the site's own people."),
        ((0, 0, 3, 9), "Not counted: 9 page views in 3 visits of the site's own people."),
        ((0, 0, 0, 0), "there were none"),
    ],
)
def test_the_report_says_how_much_it_does_not_count(out, words):
    assert words in html.unescape(render_report(collect_figures(tables([day(0)], out=out))))
