"""The tables that are published for the console: sums over people and visits, in which no person can be named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml.console.model_tables import MODEL_TABLES
from ml.console.published_table import PublishedTable

FOLDER = "console"
DIMENSIONS = ("segment", "device", "country", "channel")
"""What every figure can be filtered by. The segment belongs to the person, the others to the visit."""
VARYING = ("device", "country", "channel")
LATER = 6
"""Pages from this place of a visit on are counted together."""
OTHER, LEFT, START, NO_PAGE = 0, -1, -2, -3
"""Numbers of what is no single page: rare pages, the end and the beginning of a visit, a visit without a view."""
ROWS_PER_GROUP = 65_536


_TEXT, _COUNT, _DAY = pa.string(), pa.int64(), pa.date32()
_DATE = {"date": (_DAY, "Date of the visit's start in the site's time zone.")}
_OF_VISIT = {
    "segment": (_TEXT, "Segment that the person is in now; empty for people without one."),
    "device": (_TEXT, "Kind of device; `other` where it is unknown."),
    "country": (_TEXT, "Country, ISO 3166-1 alpha-2; empty where it is unknown."),
    "channel": (_TEXT, "Channel that brought the visit."),
}
_MEASURES_OF_VISITS = {
    "visits": (_COUNT, "Visits."),
    "page_views": (_COUNT, "Page views."),
    "bounces": (_COUNT, "Visits with one page view and nothing else."),
    "conversions": (_COUNT, "Visits with a purchase."),
    "purchases": (_COUNT, "Purchases."),
    "revenue": (pa.float64(), "Sum of the purchases' amounts in the currency of the site."),
    "measured_visits": (_COUNT, "Visits of which the time of attention is known."),
    "engaged_milliseconds": (_COUNT, "Their time of attention."),
    "visits_people": (_COUNT, "Person-days."),
    "visits_visits": (_COUNT, "Sum over person-days of visits squared."),
    "conversions_visits": (_COUNT, "Sum of conversions times visits."),
    "conversions_conversions": (_COUNT, "Sum of conversions squared."),
    "bounces_visits": (_COUNT, "Sum of bounces times visits."),
    "bounces_bounces": (_COUNT, "Sum of bounces squared."),
}

CONSOLE_TABLES: Mapping[str, PublishedTable] = {
    "about": PublishedTable(
        "What holds for all tables; one row.",
        {
            "timezone": (_TEXT, "Time zone of the site."),
            "currency": (_TEXT, "Currency of the site; empty where neither settings nor purchases name one."),
            "first_date": (_DAY, "First date with a visit that counts; null without one."),
            "last_date": (_DAY, "Last date with a visit that counts."),
            "last_event_at": (pa.timestamp("us"), "Time of the last event of a visit that counts, UTC."),
            "fewest_people": (_COUNT, "Pages that fewer people viewed are counted as other pages."),
        },
    ),
    "visits": PublishedTable(
        "Visits of a date and their measures; one row per date, segment, device, country and channel. Intervals "
        "need the sums of squares and products over person-days, which are the visits of a person in one row.",
        {**_DATE, **_OF_VISIT, **_MEASURES_OF_VISITS},
    ),
    "campaigns": PublishedTable(
        "Visits that a campaign brought, and their measures; one row per date, campaign, source, segment, device, "
        "country and channel. Campaigns of few people, and all but the largest, are counted together.",
        {
            **_DATE,
            "campaign": (_TEXT, "utm_campaign of the landing address; empty for the campaigns counted together."),
            "source": (_TEXT, "utm_source of the landing address; empty where there is none."),
            **_OF_VISIT,
            **_MEASURES_OF_VISITS,
        },
    ),
    "visitors": PublishedTable(
        "People by the date of a visit and the date of their visit before. In any range of dates, each person is "
        "in exactly one row whose `date` lies within it and whose `previous_date` does not: the sum of these rows "
        "is the number of people. One row per `counted_by`, date, previous date and what is counted by.",
        {
            "counted_by": (
                _TEXT,
                "Which of device, country and channel the visits have in common, such as `device,country`; empty "
                "for all visits of a person. The columns that are not named are empty.",
            ),
            **_DATE,
            "previous_date": (_DAY, "Date of the person's visit before, among those of this row; null for none."),
            **_OF_VISIT,
            "visitors": (_COUNT, "People."),
        },
    ),
    "dayparts": PublishedTable(
        "Visits by the local hour in which they began; one row per date, weekday, hour, segment, device, country "
        "and channel.",
        {
            **_DATE,
            "weekday": (pa.int8(), "Weekday by the visitor's clock, from 1 for Monday."),
            "hour": (pa.int8(), "Hour by the visitor's clock, 0 to 23."),
            **_OF_VISIT,
            "visits": (_COUNT, "Visits."),
            "conversions": (_COUNT, "Visits with a purchase."),
        },
    ),
    "moves": PublishedTable(
        "Moves of visits from page to page; one row per date, step, page, next page, segment, device, country and "
        "channel. Step 0 leads from the beginning of every visit to its first page, so that its moves are the "
        "visits; step n leads from the nth page, and the last step holds those of all later pages.",
        {
            **_DATE,
            "step": (
                pa.int8(),
                f"Place of the page in the visit, 0 for its beginning and {LATER} for all later ones.",
            ),
            "page": (
                pa.int32(),
                f"Number of the page in `pages`; {OTHER} for a rare one, {START} for the beginning.",
            ),
            "next_page": (
                pa.int32(),
                f"Number of the page that came next; {OTHER} for a rare one, {LEFT} where the visit ended, "
                f"{NO_PAGE} for a visit without a page view.",
            ),
            **_OF_VISIT,
            "moves": (_COUNT, "Moves."),
            "bounces": (_COUNT, "Views that were the only page of a visit in which nothing else was done."),
            "dwells": (_COUNT, "Views of which the time of attention is known."),
            "dwell_milliseconds": (_COUNT, "Their time of attention."),
        },
    ),
    "pages": PublishedTable(
        "The pages that are counted by themselves, the most viewed first; one row per page.",
        {
            "page": (pa.int32(), "Number of the page, from 1."),
            "page_key": (_TEXT, "Address of the page without campaigns, else the item."),
            "title": (_TEXT, "Title; empty where none was sent."),
        },
    ),
    "page_actions": PublishedTable(
        "What people did on pages, beside viewing them; one row per date, page, action, segment, device, country "
        "and channel.",
        {
            **_DATE,
            "page": (pa.int32(), f"Number of the page in `pages`; {OTHER} for a rare one, {NO_PAGE} for none."),
            "action": (
                _TEXT,
                "Type of the event, without the `custom:` of the site's own; `dead_click` and `rage_click` where "
                "a tracker reports them or the clicks show it, whichever are more of a visit on the page.",
            ),
            **_OF_VISIT,
            "times": (_COUNT, "How often it was done."),
            "visits": (_COUNT, "Visits in which it was done on the page."),
        },
    ),
    "items": PublishedTable(
        "The most viewed items; one row per date, item, segment, device, country and channel.",
        {
            **_DATE,
            "item_id": (_TEXT, "Item."),
            "title": (_TEXT, "Title; empty where none is known."),
            **_OF_VISIT,
            "views": (_COUNT, "Page views of the item."),
            "dwells": (_COUNT, "Views of which the time of attention is known."),
            "dwell_milliseconds": (_COUNT, "Their time of attention."),
            "scrolled_views": (_COUNT, "Views of which it is known how far they were scrolled."),
            "scrolled_percent": (pa.float64(), "Sum of how far they were scrolled."),
            "add_to_carts": (_COUNT, "Times that it was put into a cart."),
            "purchases": (_COUNT, "Purchases of it."),
        },
    ),
    "signals": PublishedTable(
        "What small actions do to the conversion of a visit; one row per comparison, action, following action and "
        "segment. It holds for the dates that were learned from, and for all devices, countries and channels.",
        {
            "signal": (_TEXT, "The action."),
            "then_signal": (_TEXT, "The action that follows, where orders are compared; else empty."),
            "comparison": (_TEXT, "`happened`, `followed` or `dose`."),
            "segment": (_TEXT, "Segment of the people; `all` for everybody."),
            "visits": (_COUNT, "Visits with the action, the order, or more than the median dose."),
            "people": (_COUNT, "People who made them."),
            "converted_with": (pa.float64(), "Share of them that converted."),
            "raw_lift": (pa.float64(), "What counting alone would say."),
            "lift": (pa.float64(), "How much more often visits convert because of it, adjusted."),
            "lift_low": (pa.float64(), "Lower bound of its 95% interval."),
            "lift_high": (pa.float64(), "Upper bound."),
            "is_discovery": (pa.bool_(), "Whether it counts as found, with false discoveries controlled."),
        },
    ),
    "funnels": PublishedTable(
        "Funnels of the settings; one row per funnel, step, date of entry, segment, device, country and channel.",
        {
            "funnel": (_TEXT, "Name of the funnel."),
            "step_number": (pa.int32(), "Place of the step, from 1."),
            "step": (_TEXT, "Event type, with the pattern of the address where the setting has one."),
            "date": (_DAY, "Date in the site's time zone on which the funnel was entered."),
            **_OF_VISIT,
            "entered": (_COUNT, "Visits or people that took the step in order."),
        },
    ),
    "funnel_steps": PublishedTable(
        "Steps of the funnels of the settings, and which of them count; one row per funnel and step.",
        {
            "funnel": (_TEXT, "Name of the funnel."),
            "place": (pa.int32(), "Place of the step in the settings, from 1."),
            "step": (_TEXT, "Event type, with the pattern of the address where the setting has one."),
            "is_sent": (pa.bool_(), "Whether the site has ever sent this event type; else the step is left out."),
            "step_number": (pa.int32(), "Place among the steps that count; null where it is left out."),
        },
    ),
    "visit_steps": PublishedTable(
        "What was done in the newest visits, of which funnels are tried; one row per action. Numbers mean nothing "
        "outside the table; types, pages and elements of few people are left out.",
        {
            "person": (_COUNT, "Number of the person."),
            "visit": (_COUNT, "Number of the visit."),
            "date": (_DAY, "Date of the visit's start in the site's time zone."),
            "at_microseconds": (_COUNT, "Time since the first action of the person in the table."),
            "event_type": (_TEXT, "Type of the event."),
            "page": (
                _TEXT,
                "Address of the page without what follows a question mark, else the item; may be empty.",
            ),
            "element": (_TEXT, "Element that was clicked or hovered over; may be empty."),
        },
    ),
    "retention": PublishedTable(
        "People by the week of their first visit who came again; one row per cohort, week and segment.",
        {
            "cohort_week": (_DAY, "Monday of the week of the first visit."),
            "week_number": (pa.int32(), "Weeks since then; 0 is the first."),
            "segment": _OF_VISIT["segment"],
            "active_people": (_COUNT, "People of the cohort with a visit in that week."),
        },
    ),
    "experiment_baselines": PublishedTable(
        "History of the metrics of experiments, which plans start from; one row per metric.",
        {
            "metric": (_TEXT, "Name of the metric."),
            "definition": (_TEXT, "Its definition as JSON."),
            "fault": (_TEXT, "Why it cannot be planned; empty if it can, else what follows is null."),
            "mean": (pa.float64(), "Value of the metric in the last weeks."),
            "variance": (pa.float64(), "Variance of what a person contributes."),
            "explained": (pa.float64(), "Share of the variance that the person's history explains."),
            "people": (_COUNT, "People who were observed for the whole window."),
            "window_days": (_COUNT, "Days for which a person is observed."),
            "starts_on": (_DAY, "First day of the weeks."),
            "arrivals": (pa.list_(_COUNT), "People who came for the first time on each day of the weeks."),
        },
    ),
    **MODEL_TABLES,
    "segments": PublishedTable(
        "The learned segments; one row per segment.",
        {
            "segment": (_TEXT, "Name."),
            "persona": (_TEXT, "Description in words."),
            "people": (_COUNT, "People in the segment."),
            "share": (pa.float64(), "Share of the people with a segment."),
            "shares_before": (pa.list_(pa.float64()), "Share in earlier runs, the oldest first."),
        },
    ),
}


def write_console_table(folder: Path, name: str, rows: pa.Table) -> Path:
    """Write a table as `<name>.parquet`, with its columns in the types of its schema.

    Raises:
        KeyError: There is no such table.
        ValueError: A column is missing, or a value does not fit.
    """
    schema = CONSOLE_TABLES[name].schema
    file = folder / f"{name}.parquet"
    pq.write_table(rows.select(schema.names).cast(schema), file, compression="zstd", row_group_size=ROWS_PER_GROUP)
    return file
