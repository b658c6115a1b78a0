"""The table of the console with the steps of the newest visits, of which funnels are tried."""

from __future__ import annotations

MOST_STEPS = 300_000
"""About three megabytes: enough visits for a share to be known to a per cent."""
UNSEEN = ("page_ping", "page_exit", "cursor", "scroll", "hover", "video_progress")
"""Types that say how somebody looks at a page; they come by the dozen."""


def query_steps(visits: str, fewest_people: int) -> str:
    """The actions of the newest days with visits, as many as MOST_STEPS of them hold, but one day at least.

    Nobody can be named: people and visits have numbers that mean nothing elsewhere, times begin with 0 at the
    first action of a person, and a type, page or element of few people is left out.
    """
    kept = " union all ".join(
        f"""
            select '{column}' as kind, {column} as name from actions where {column} <> ''
            group by {column} having count(distinct user_id) >= {fewest_people}
        """
        for column in ("event_type", "page", "element")
    )
    return f"""
        with visits as ({visits}),
        days as (
            select date, sum(count(*)) over (order by date desc) as actions_since
            from visit_events inner join visits using (session_key) group by date
        ),
        newest as (
            select min(date) as first_date from days
            where actions_since <= {MOST_STEPS} or date = (select max(date) from days)
        ),
        actions as (
            select
                date, visit_events.session_key, visits.user_id, occurred_at, event_type,
                split_part(page_key, '?', 1) as page, coalesce(element, '') as element
            from visit_events inner join visits using (session_key)
            where
                date >= (select first_date from newest)
                and event_type not in ({", ".join(f"'{name}'" for name in UNSEEN)})
                and (event_type <> 'purchase' or is_purchase)
        ),
        kept as ({kept})
        select
            dense_rank() over (order by hash(user_id), user_id) as person,
            dense_rank() over (order by hash(user_id), user_id, min_at, session_key) as visit,
            date, event_type,
            epoch_us(occurred_at) - epoch_us(min(occurred_at) over (partition by user_id)) as at_microseconds,
            case when pages.name is null then '' else page end as page,
            case when elements.name is null then '' else element end as element
        from (select *, min(occurred_at) over (partition by session_key) as min_at from actions) as actions
        inner join kept as types on types.kind = 'event_type' and actions.event_type = types.name
        left join kept as pages on pages.kind = 'page' and actions.page = pages.name
        left join kept as elements on elements.kind = 'element' and actions.element = elements.name
        order by person, visit, at_microseconds, event_type, page, element
    """
