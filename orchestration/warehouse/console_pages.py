"""The tables of the console about pages and items: who went where, what people did there, and what they saw."""

from __future__ import annotations

from ml.console.tables import DIMENSIONS, LATER, LEFT, NO_PAGE, OTHER, START
from orchestration.warehouse.usage_tables import PAGES, without_campaigns

MOST_PAGES, MOST_ITEMS, MOST_ACTIONS = 300, 300, 50
BY = ", ".join(DIMENSIONS)
NO_ACTIONS = ("page_view", "page_ping", "page_exit", "cursor")
"""Types that say where somebody is, not what they do."""


def query_pages(fewest_people: int) -> str:
    """The pages that are counted by themselves."""
    return f"{_kept_pages(fewest_people)} select page, page_key, title from kept order by page"


def _kept_pages(fewest_people: int) -> str:
    """The views under the addresses without campaigns, and the pages that are counted by themselves."""
    return f"""
        with views as materialized ({PAGES}),
        ranked as (
            select page_key, coalesce(max(page_title), '') as title, count(*) as views
            from views group by page_key having count(distinct user_id) >= {fewest_people}
        ),
        kept as (
            select row_number() over (order by views desc, page_key) as page, page_key, title from ranked
            order by page limit {MOST_PAGES}
        )
    """


def query_moves(visits: str, fewest_people: int) -> str:
    """The moves of visits from page to page."""
    return f"""
        {_kept_pages(fewest_people)},
        visits as ({visits}),
        moves as (
            select
                session_key, least(path_position, {LATER}) as step, page_key, next_page_key,
                next_page_key is null as is_exit, is_bounce, dwell_seconds
            from views
        ),
        beginnings as (
            select visits.session_key, first_views.page_key
            from visits left join views as first_views
                on visits.session_key = first_views.session_key and first_views.path_position = 1
        ),
        numbered as (
            select
                moves.session_key, moves.step, coalesce(pages.page, {OTHER}) as page,
                case when moves.is_exit then {LEFT} else coalesce(next_pages.page, {OTHER}) end as next_page,
                moves.is_bounce, moves.dwell_seconds
            from moves
            left join kept as pages on moves.page_key = pages.page_key
            left join kept as next_pages on moves.next_page_key = next_pages.page_key
            union all
            select
                beginnings.session_key, 0, {START},
                case when beginnings.page_key is null then {NO_PAGE} else coalesce(pages.page, {OTHER}) end,
                false, null
            from beginnings left join kept as pages on beginnings.page_key = pages.page_key
        )
        select
            date, step, page, next_page, {BY}, count(*) as moves, count_if(numbered.is_bounce) as bounces,
            count(dwell_seconds) as dwells,
            coalesce(sum(round(1000 * dwell_seconds)), 0) as dwell_milliseconds
        from numbered inner join visits using (session_key)
        group by all order by all
    """


def query_actions(visits: str, fewest_people: int, rage_click_seconds: float) -> str:
    """What was done on each page.

    A rage click is at least the third click on one element within the time that the settings say, as in the mart
    `sessions`. Where a tracker reports rage or dead clicks too, the larger number of each visit and page counts.
    """
    return f"""
        {_kept_pages(fewest_people)},
        visits as ({visits}),
        events as (
            select
                session_key, user_id, event_id, page_key as address, {without_campaigns("page_key")} as page_key,
                occurred_at, element, is_dead_click, replace(event_type, 'custom:', '') as action
            from visit_events
            where event_type not in ({", ".join(f"'{name}'" for name in NO_ACTIONS)})
        ),
        clicks as (
            select
                session_key, user_id, page_key, is_dead_click,
                coalesce(
                    occurred_at - lag(occurred_at, 2) over (
                        partition by session_key, address, element order by occurred_at, event_id
                    ) <= to_milliseconds({round(1000 * rage_click_seconds)}),
                    false
                ) as is_rage_click
            from events where action = 'click'
        ),
        counted as (
            select session_key, user_id, page_key, action, count(*) as times from events group by all
            union all
            select session_key, user_id, page_key, 'dead_click', count_if(is_dead_click) from clicks group by all
            union all
            select session_key, user_id, page_key, 'rage_click', count_if(is_rage_click) from clicks group by all
        ),
        of_visits as (
            select session_key, user_id, page_key, action, max(times) as times
            from counted where times > 0 group by session_key, user_id, page_key, action
        ),
        usual as (
            select action from of_visits
            group by action having count(distinct user_id) >= {fewest_people}
            order by count(*) desc, action limit {MOST_ACTIONS}
        ),
        numbered as (
            select
                of_visits.session_key, case when usual.action is null then 'other' else usual.action end as action,
                case when of_visits.page_key = '' then {NO_PAGE} else coalesce(kept.page, {OTHER}) end as page,
                of_visits.times
            from of_visits
            left join kept on of_visits.page_key = kept.page_key
            left join usual on of_visits.action = usual.action
        ),
        summed as (
            select session_key, page, action, sum(times) as times from numbered group by all
        )
        select date, page, action, {BY}, sum(times) as times, count(*) as visits
        from summed inner join visits using (session_key)
        group by all order by all
    """


def query_items(visits: str, fewest_people: int) -> str:
    """What was seen of the most viewed items, and what was bought."""
    return f"""
        with visits as ({visits}),
        kept as (
            select item_id, coalesce(any_value(items.title), '') as title
            from page_views left join items using (item_id) where item_id is not null
            group by item_id having count(distinct user_id) >= {fewest_people}
            order by count(*) desc, item_id limit {MOST_ITEMS}
        ),
        counted as (
            select
                session_key, item_id, 1 as views, (dwell_seconds is not null)::int as dwells,
                coalesce(round(1000 * dwell_seconds), 0) as dwell_milliseconds,
                (scroll_depth is not null)::int as scrolled_views, coalesce(scroll_depth, 0) as scrolled_percent,
                0 as add_to_carts, 0 as purchases
            from page_views where item_id is not null
            union all
            select
                session_key, item_id, 0, 0, 0, 0, 0, (event_type = 'add_to_cart')::int, is_purchase::int
            from visit_events where item_id is not null and (event_type = 'add_to_cart' or is_purchase)
        )
        select
            date, item_id, title, {BY}, sum(counted.views) as views, sum(counted.dwells) as dwells,
            sum(counted.dwell_milliseconds) as dwell_milliseconds, sum(counted.scrolled_views) as scrolled_views,
            round(sum(counted.scrolled_percent), 6) as scrolled_percent,
            sum(counted.add_to_carts) as add_to_carts, sum(counted.purchases) as purchases
        from counted
        inner join kept using (item_id)
        inner join visits using (session_key)
        group by all order by all
    """
