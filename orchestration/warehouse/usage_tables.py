"""What the usage report reads of the marts: sums over all people, and the moments that intervals need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from ml.settings.warehouse import WarehouseSettings
from orchestration.warehouse.warehouse import Warehouse


def read_usage_tables(
    warehouse: Warehouse, knobs: WarehouseSettings, pages_shown: int, fewest_people: int
) -> Mapping[str, pa.Table]:
    """Read the tables of `ml.usage.figures.collect_figures`.

    Args:
        warehouse: The warehouse, with its marts.
        knobs: The settings by which the marts were built.
        pages_shown: Pages, entries, exits and moves to read, the most frequent first.
        fewest_people: Pages and moves of fewer people are left out, so that no single visit can be read.

    Raises:
        WarehouseMissingError: The marts are not there yet.
    """
    visits = _visits(knobs)
    queries = {
        "days": "select date, sessions, active_users, page_views, purchases from daily_metrics order by date",
        "totals": _totals(visits),
        "left_out": _left_out(knobs),
        "pages": _pages("views", pages_shown, fewest_people),
        "entries": _pages("entries", pages_shown, fewest_people),
        "exits": _pages("exits", pages_shown, fewest_people),
        "moves": _moves(pages_shown, fewest_people),
        "funnels": """
            select funnel, step_number, any_value(step) as step, sum(entered)::bigint as entered
            from funnels group by funnel, step_number order by funnel, step_number
        """,
        "funnel_steps": "select funnel, step, is_sent, step_number from funnel_steps order by funnel, place",
        "retention": """
            select cohort_week::date as cohort_week, week_number, cohort_users, active_users
            from retention order by cohort_week, week_number
        """,
        "sources": _sources(visits),
    }
    return {name: warehouse.read(query) for name, query in queries.items()}


def _moments(pairs: Sequence[tuple[str, str]]) -> str:
    """The select list of the sums over people, of their squares and products, for each upper and lower name."""
    columns: dict[str, str] = {}
    for upper, lower in pairs:
        for name in (upper, lower):
            columns[name] = f"sum({name})::double"
        for left, right in ((upper, upper), (upper, lower), (lower, lower)):
            columns[f"{left}_{right}"] = f"sum({left}::double * {right})"
        columns[f"{lower}_people"] = f"count_if({lower} > 0)::bigint"
    return ", ".join(f"{expression} as {name}" for name, expression in columns.items())


def without_campaigns(column: str) -> str:
    """An address without its campaign: one page is one row, whichever campaign its visitors came from."""
    return f"regexp_replace(regexp_replace({column}, 'utm_[a-z_]+=[^&#]*&?', '', 'g'), '[?&]($|#)', '\\1')"


PAGES = f"""
    select
        * replace (
            {without_campaigns("page_key")} as page_key, {without_campaigns("next_page_key")} as next_page_key
        )
    from page_views
"""


def _visits(knobs: WarehouseSettings) -> str:
    """The visits that the marts count."""
    bots = "not is_bot" if knobs.leave_out_bots else "true"
    internal = "not is_internal" if knobs.leave_out_internal else "true"
    return f"from sessions where {bots} and {internal}"


def _left_out(knobs: WarehouseSettings) -> str:
    """Visits and page views that the marts do not count; a bot is not counted as one of the site's own people."""
    bots = "is_bot" if knobs.leave_out_bots else "false"
    internal = f"is_internal and not {bots}" if knobs.leave_out_internal else "false"
    return f"""
        select
            count_if({bots}) as bot_visits,
            coalesce(sum(page_views) filter ({bots}), 0)::bigint as bot_views,
            count_if({internal}) as internal_visits,
            coalesce(sum(page_views) filter ({internal}), 0)::bigint as internal_views
        from sessions
    """


def _totals(visits: str) -> str:
    return f"""
        with by_person as (
            select
                user_id, count(*) as visits, count_if(is_converted) as converted, count_if(is_bounce) as bounces
            {visits} group by user_id
        )
        select count(*) as people, {_moments((("converted", "visits"), ("bounces", "visits")))} from by_person
    """


def _sources(visits: str) -> str:
    return f"""
        with by_person as (
            select channel, user_id, count(*) as visits, count_if(is_converted) as converted
            {visits} group by channel, user_id
        )
        select coalesce(channel, 'unknown') as channel, {_moments((("converted", "visits"),))}
        from by_person group by channel order by visits desc, channel
    """


def _pages(by: str, most: int, fewest_people: int) -> str:
    return f"""
        with views as ({PAGES}),
        by_person as (
            select
                page_key, user_id, max(page_title) as title, count(*) as views,
                count_if(is_entry) as entries, count_if(is_exit) as exits, count_if(is_bounce) as bounces,
                coalesce(sum(dwell_seconds), 0) as dwell_seconds, count(dwell_seconds) as dwells
            from views group by page_key, user_id
        )
        select
            page_key, max(title) as title,
            {_moments((("exits", "views"), ("bounces", "entries"), ("dwell_seconds", "dwells")))}
        from by_person group by page_key
        having views_people >= {fewest_people} and {by} > 0
        order by {by} desc, page_key limit {most}
    """


def _moves(most: int, fewest_people: int) -> str:
    return f"""
        with page_views as ({PAGES}),
        by_person as (
            select page_key, next_page_key, user_id, count(*) as moves
            from page_views where next_page_key is not null group by all
        ),
        views as (select page_key, max(page_title) as title, count(*) as views from page_views group by page_key)
        select
            by_person.page_key as from_page, max(origin.title) as from_title,
            by_person.next_page_key as to_page, max(target.title) as to_title,
            sum(by_person.moves)::bigint as moves, max(origin.views) as views
        from by_person
        inner join views as origin on by_person.page_key = origin.page_key
        inner join views as target on by_person.next_page_key = target.page_key
        group by by_person.page_key, by_person.next_page_key
        having count(*) >= {fewest_people}
        order by moves desc, from_page, to_page limit {most}
    """
