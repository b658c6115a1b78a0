"""Visits, their page views and their actions, read from the marts."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from ml.sequences.visits import SiteVisits
from ml.settings.sequences import Goal

COUNTS: dict[Goal, str] = {
    "purchase": "purchases",
    "checkout": "checkouts",
    "signup": "signups",
    "subscribe": "subscribes",
}
_VISITS = """
    select
        sessions.session_key, sessions.user_id, sessions.started_at, sessions.local_started_at,
        sessions.device_type, sessions.channel, sessions.campaign, sessions.page_views,
        sessions.{count} as conversions, sessions.revenue, user_segments.name as segment
    from sessions
    left join user_segments on sessions.user_id = user_segments.user_id
    where not sessions.is_bot and not sessions.is_internal
    order by sessions.started_at, sessions.session_id
"""
_VIEWS = """
    with goals as (
        select session_key, min(occurred_at) as reached_at
        from visit_events
        where event_type = '{goal}' and (event_type <> 'purchase' or is_purchase)
        group by session_key
    )
    select
        page_views.session_key, page_views.page_key, page_views.item_id, page_views.dwell_seconds,
        items.category, coalesce(items.price is not null, false) as is_product
    from page_views
    left join goals on page_views.session_key = goals.session_key
    left join items on page_views.item_id = items.item_id
    where goals.reached_at is null or page_views.viewed_at < goals.reached_at
    order by page_views.session_key, page_views.path_position
"""

_ACTIONS = """
    with newest as (
        select visit_events.*, sessions.device_type, sessions.started_at
        from visit_events
        join sessions on visit_events.session_key = sessions.session_key
        join users on visit_events.user_id = users.user_id
        where users.has_personalization_consent
        order by sessions.started_at desc, visit_events.session_key
        limit {most}
    )
    select
        session_key, user_id, device_type, occurred_at, event_type, element, item_id, value, is_purchase
    from newest
    order by user_id, started_at, session_key, occurred_at, event_id
"""
_SEGMENTS = "select user_id, name from user_segments where name is not null"
_PRODUCTS = "select item_id from items where price is not null"


def read_visits(read: Callable[[str], pa.Table], goal: Goal) -> SiteVisits:
    """Read the visits of people, with their page views before they reached the goal.

    Args:
        read: Runs a query on the warehouse.
        goal: The event type that ends a path as converted.
    """
    return SiteVisits.of(read(_VISITS.format(count=COUNTS[goal])), read(_VIEWS.format(goal=goal)))


def read_actions(read: Callable[[str], pa.Table], most: int) -> tuple[pa.Table, frozenset[str]]:
    """Read the newest actions of people in the order of people and of time, and the items that are sold.

    Only people who consent to personalization are learned from.

    Args:
        read: Runs a query on the warehouse.
        most: Number of actions.
    """
    return read(_ACTIONS.format(most=most)), frozenset(read(_PRODUCTS).column("item_id").to_pylist())


def read_segments(read: Callable[[str], pa.Table]) -> dict[str, str]:
    """Read the name of the segment of each person who has one, by `user_id`."""
    rows = read(_SEGMENTS)
    return dict(zip(rows.column("user_id").to_pylist(), rows.column("name").to_pylist(), strict=True))
