"""The tables of the console, each by one query of the marts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from ml.console.tables import CONSOLE_TABLES, DIMENSIONS, VARYING, write_console_table
from ml.experiments.definition.metrics import Metric
from ml.settings import Settings
from ml.settings.evaluation import EvaluationSettings
from orchestration.warehouse.console_pages import query_actions, query_items, query_moves, query_pages
from orchestration.warehouse.console_steps import query_steps
from orchestration.warehouse.experiment_tables import measure_baselines
from orchestration.warehouse.marts import site_currency
from orchestration.warehouse.warehouse import Warehouse

MOST_CAMPAIGNS = 200
BY = ", ".join(DIMENSIONS)


def write_console_tables(
    warehouse: Warehouse, settings: Settings, folder: Path, metrics: Mapping[str, Metric]
) -> dict[str, Path]:
    """Read the marts and write the tables of `ml.console.tables` into a folder.

    Args:
        warehouse: The warehouse with its marts, and what segmentation wrote where there is any.
        settings: Settings of the site.
        folder: An existing folder.
        metrics: The metrics that experiments can be planned for, by name.

    Returns:
        The file of each table by its name.
    """
    baselines = measure_baselines(warehouse, metrics, settings.experiments.design_history_days)
    return {
        "experiment_baselines": write_console_table(folder, "experiment_baselines", baselines),
        **{
            name: write_console_table(folder, name, warehouse.read(query))
            for name, query in console_queries(settings, frozenset(warehouse.tables())).items()
        },
    }


def console_queries(settings: Settings, tables: frozenset[str]) -> dict[str, str]:
    """Return the query of each table but the baselines of experiments, which are measured by a replay.

    Args:
        settings: Settings of the site.
        tables: Tables that the warehouse has; segments are empty without those of segmentation.
    """
    visits = _visits(settings, tables)
    fewest_people = settings.sequences.minimum_people
    return {
        "about": _about(settings, tables, visits, fewest_people),
        "visits": _measures(visits),
        "visitors": _visitors(visits),
        "dayparts": f"""
            with visits as ({visits})
            select
                date, isodow(local_started_at) as weekday, local_hour as hour, {BY},
                count(*) as visits, count_if(is_converted) as conversions
            from visits group by all order by all
        """,
        "campaigns": _campaigns(visits, fewest_people),
        "pages": query_pages(fewest_people),
        "moves": query_moves(visits, fewest_people),
        "page_actions": query_actions(visits, fewest_people, settings.warehouse.rage_click_seconds),
        "items": query_items(visits, fewest_people),
        "funnels": _funnels(tables),
        "funnel_steps": "select * exclude (counted_steps) from funnel_steps order by all",
        "visit_steps": query_steps(visits, fewest_people),
        "retention": _retention(visits),
        "segments": _segments(tables),
        "signals": _signals(tables),
        "ranker_days": _columns_of("ranker_days", tables, "date, learned_until, is_held_out"),
        "intent_days": _columns_of("intent_days", tables, "date, target, actions, read_until, is_held_out"),
        "model_delivery": _columns_of("model_delivery", tables, "first_answer_at, model_version"),
        "input_drift": _columns_of("input_drift", tables, "frame, column_name"),
        "candidates": _candidates(settings.evaluation, tables),
    }


def _segment_of(tables: frozenset[str]) -> str:
    """The segments of people, with the columns user_id and segment."""
    if "user_segments" in tables:
        return "select user_id, coalesce(name, '') as segment from user_segments"
    return "select null::varchar as user_id, '' as segment where false"


def _visits(settings: Settings, tables: frozenset[str]) -> str:
    """The visits that count, with the dimensions and the date at the site."""
    warehouse = settings.warehouse
    left_out = [
        column
        for column, is_left_out in (
            ("is_bot", warehouse.leave_out_bots),
            ("is_internal", warehouse.leave_out_internal),
        )
        if is_left_out
    ]
    return f"""
        select
            sessions.* exclude (country, channel),
            {_site_date("started_at", warehouse.site_timezone)} as date,
            coalesce(segments.segment, '') as segment,
            coalesce(device_type, 'other') as device,
            coalesce(country, '') as country,
            coalesce(channel, '') as channel
        from sessions left join ({_segment_of(tables)}) as segments on sessions.user_id = segments.user_id
        where {" and ".join(f"not {column}" for column in left_out) or "true"}
    """


def _site_date(column: str, zone: str) -> str:
    return f"({column} at time zone 'UTC' at time zone '{zone}')::date"


def _about(settings: Settings, tables: frozenset[str], visits: str, fewest_people: int) -> str:
    return f"""
        with visits as ({visits})
        select
            '{settings.warehouse.site_timezone}' as timezone,
            {site_currency(settings.warehouse, tables)} as currency,
            min(date) as first_date, max(date) as last_date, max(ended_at) as last_event_at,
            {fewest_people} as fewest_people
        from visits
    """


def _campaigns(visits: str, fewest_people: int) -> str:
    """The measures of the visits of each campaign; those of small ones are summed under an empty name."""
    return _measures(
        f"""
            with visits as ({visits}),
            of_campaigns as (
                select
                    * exclude (source) replace (coalesce(campaign, '') as campaign),
                    coalesce(campaign_source, '') as source
                from visits where campaign is not null or campaign_source is not null
            ),
            kept as (
                select campaign, source, true as is_kept from of_campaigns
                group by campaign, source having count(distinct user_id) >= {fewest_people}
                order by count(*) desc, campaign, source limit {MOST_CAMPAIGNS}
            )
            select
                of_campaigns.* exclude (campaign, source),
                case when is_kept then campaign else '' end as campaign,
                case when is_kept then source else '' end as source
            from of_campaigns left join kept using (campaign, source)
        """,
        "campaign, source, ",
    )


def _measures(visits: str, parts: str = "") -> str:
    """The measures of visits, each person's of a date first; `parts` are further columns to part them by."""
    return f"""
        with visits as ({visits}),
        person_days as (
            select
                date, {parts}{BY}, user_id, count(*) as visits, count_if(is_converted) as conversions,
                count_if(is_bounce) as bounces, sum(page_views) as page_views, sum(purchases) as purchases,
                sum(revenue) as revenue, count(engaged_seconds) as measured_visits,
                sum(round(1000 * engaged_seconds)) as engaged_milliseconds
            from visits group by all
        )
        select
            date, {parts}{BY}, sum(visits) as visits, sum(page_views) as page_views, sum(bounces) as bounces,
            sum(conversions) as conversions, sum(purchases) as purchases,
            round(coalesce(sum(revenue), 0), 6) as revenue, sum(measured_visits) as measured_visits,
            coalesce(sum(engaged_milliseconds), 0) as engaged_milliseconds, count(*) as visits_people,
            sum(visits * visits) as visits_visits, sum(conversions * visits) as conversions_visits,
            sum(conversions * conversions) as conversions_conversions, sum(bounces * visits) as bounces_visits,
            sum(bounces * bounces) as bounces_bounces
        from person_days group by all order by all
    """


def _visitors(visits: str) -> str:
    """People by two consecutive dates of their visits, for each set of dimensions that vary between visits."""
    sets = [names for size in range(len(VARYING) + 1) for names in combinations(VARYING, size)]
    parts = [
        f"""
            select
                '{",".join(names)}' as counted_by, date, segment,
                {", ".join(name if name in names else f"'' as {name}" for name in VARYING)},
                lag(date) over (partition by {", ".join(("user_id", *names))} order by date) as previous_date
            from (select distinct {", ".join(("user_id", "date", "segment", *names))} from visits)
        """
        for names in sets
    ]
    return f"""
        with visits as ({visits}), days as ({" union all ".join(parts)})
        select counted_by, date, previous_date, {BY}, count(*) as visitors from days group by all order by all
    """


def _funnels(tables: frozenset[str]) -> str:
    """Who took each step; the passages are those of the mart `funnels`, which has no segment and no channel."""
    return f"""
        select
            funnel, step_number, step, date, coalesce(segments.segment, '') as segment,
            coalesce(device_type, 'other') as device, coalesce(country, '') as country,
            coalesce(channel, '') as channel, count(*) as entered
        from intermediate.int_funnel_passages as passages
        left join sessions on passages.session_key = sessions.session_key
        left join ({_segment_of(tables)}) as segments on passages.user_id = segments.user_id
        group by all order by all
    """


def _retention(visits: str) -> str:
    return f"""
        with visits as ({visits}),
        weeks as (select distinct user_id, segment, date_trunc('week', date)::date as week from visits),
        numbered as (select *, min(week) over (partition by user_id) as cohort_week from weeks)
        select
            cohort_week, (week - cohort_week) // 7 as week_number, segment, count(*) as active_people
        from numbered group by all order by all
    """


def _segments(tables: frozenset[str]) -> str:
    if "segment_profiles" in tables:
        return (
            "select name as segment, coalesce(persona, '') as persona, size as people, share, shares_before "
            "from segment_profiles order by people desc, segment"
        )
    return _no_rows("segments")


def _signals(tables: frozenset[str]) -> str:
    """What small actions do to conversion, as the sequences' study wrote it."""
    if "signals" in tables:
        return """
            select * replace (coalesce(then_signal, '') as then_signal)
            from signals order by is_discovery desc, lift_low desc nulls last, comparison, signal, segment
        """
    return _no_rows("signals")


def _columns_of(table: str, tables: frozenset[str], order: str) -> str:
    """The columns of a table that the pipeline wrote beside the marts."""
    if table in tables:
        return f"select {', '.join(CONSOLE_TABLES[table].columns)} from {table} order by {order}"
    return _no_rows(table)


def _candidates(rules: EvaluationSettings, tables: frozenset[str]) -> str:
    """The models that were compared, the best first; the measure that decides is a column of its own."""
    if "candidate_models" not in tables:
        return _no_rows("candidates")
    # The columns bear the k of the settings that the comparison knew; others may be in force by now. Where nothing
    # could be compared there are none, but `columns` needs one.
    return f"""
        select model, configuration, measure, value, users as people, coalesce(gain, '') as gain, seconds
        from (
            unpivot (select *, null::double as none_at_0 from candidate_models)
            on columns('^[a-z]+_at_[0-9]+$') into name measure value value
        )
        where measure = '{rules.deciding_metric}'
        order by value desc, model, configuration
    """


def _no_rows(table: str) -> str:
    """A query of a table's columns without a row."""
    return f"select {', '.join(f'null as {name}' for name in CONSOLE_TABLES[table].columns)} where false"
