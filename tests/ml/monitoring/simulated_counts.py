"""The tables that monitoring watches, counted from simulated events by queries of their own, without dbt."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from ml.sources.simulator import ScenarioSite
from ml.sources.simulator.texts import item_ids
from ml.sources.simulator.topics import CATEGORY_NAMES

FIELDS = ("user_id", "session_id", "item_id", "page_url", "page_title", "language", "timezone", "country", "os",
          "network_type", "screen_width", "referrer", "device_type", "browser")  # fmt: skip
COLUMNS = (
    "event_id",
    "event_type",
    "occurred_at",
    "received_at",
    "anonymous_id",
    "recommendation_id",
    "properties",
    *FIELDS,
)

EVENT_HOURS = """
    select date_trunc('hour', moment) as hour, event_type, '{dimension}' as dimension, {slice} as slice,
           count(*) as events, count(distinct anonymous_id) as devices, {fields}
    from people group by all
"""
ANSWER_HOURS = """
    with clicks as (
        select recommendation_id, count(*) as clicks from people
        where event_type = 'click' and recommendation_id is not null group by all
    )
    select date_trunc('hour', moment) as hour, properties->>'slot' as slot,
           properties->>'model_version' as model_version,
           case when user_id is null then 'anonymous' else 'known' end as audience,
           count(*) as answers, count(clicks.clicks) as clicked_answers
    from people left join clicks using (recommendation_id) where event_type = 'served' group by all
"""
CATEGORY_DAYS = """
    with days as (
        select coalesce(user_id, anonymous_id) as person, cast(moment as date) as date, category, count(*) as views
        from people join items using (item_id) where event_type = 'page_view' group by all
    ),
    remembered as (
        select *, exists (
            select 1 from days as earlier where earlier.person = days.person and earlier.category = days.category
            and earlier.date < days.date and earlier.date >= days.date - 28
        ) as familiar, exists (
            select 1 from days as earlier where earlier.person = days.person
            and earlier.date < days.date and earlier.date >= days.date - 28
        ) as returning_person
        from days
    )
    select date, category, case when returning_person then 'returning' else 'new' end as audience,
           cast(sum(views) as bigint) as views, count(distinct person) as viewers,
           cast(sum(case when familiar then views else 0 end) as bigint) as familiar_views
    from remembered where date >= (select min(date) from remembered) + 28 group by all
"""


def count_site(site: ScenarioSite, days: int) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Event hours, answer hours and category days of the first days of a site; malformed rows are left out."""
    items = site.items(days)
    with duckdb.connect() as memory:
        memory.execute("set threads = 1; set timezone = 'UTC'")
        names = [CATEGORY_NAMES[category] for category in items.category]
        memory.register("items", pa.table({"item_id": item_ids(items), "category": names}))
        memory.execute("create table people as " + _sound(site.events(0, 1), memory) + " limit 0")
        for table in site.events(0, days):
            memory.execute("insert into people " + _sound([table], memory))
        fields = ", ".join(f"count({field}) as with_{field}" for field in FIELDS)
        dimensions = {
            "everything": "''",
            **{name: f"coalesce({name}, '')" for name in ("device_type", "browser", "country")},
        }
        hours = " union all ".join(
            EVENT_HOURS.format(dimension=name, slice=slice_, fields=fields) for name, slice_ in dimensions.items()
        )
        queries = (f"{hours} order by hour", f"{ANSWER_HOURS} order by hour", f"{CATEGORY_DAYS} order by date")
        return tuple(memory.sql(query).to_arrow_table() for query in queries)


def _sound(tables, memory: duckdb.DuckDBPyConnection) -> str:
    memory.register("arrived", pa.concat_tables(tables).select(COLUMNS))
    return (
        "select * exclude (occurred_at, received_at), cast(occurred_at as timestamp) as moment from arrived "
        "where event_id is not null and device_type in ('mobile', 'desktop', 'tablet', 'tv') "
        "and event_type <> 'pageview' and length(country) = 2 and anonymous_id is not null "
        "and occurred_at <= received_at"
    )
