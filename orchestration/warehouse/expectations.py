"""Expectations on the marts as data: figures that one query draws from the warehouse, and the range each may have.

Keys and identities are dbt's data tests, logic is dbt's unit tests; here stand volumes and distributions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ml.settings.warehouse import WarehouseSettings

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation


@dataclass(frozen=True)
class AllowedRange:
    """Legal values of a figure; None is no bound. A bound that names a knob of `warehouse` takes its value."""

    least: float | str | None = None
    most: float | str | None = None


@dataclass(frozen=True)
class Suite:
    """Expectations on one mart. `name` is true when they hold; `figures` is SQL that yields one row."""

    name: str
    mart: str
    is_blocking: bool
    description: str
    figures: str
    ranges: Mapping[str, AllowedRange]


@dataclass(frozen=True)
class ExpectationResult:
    """Result of an expectation; `value` is None where the figure is undefined."""

    figure: str
    passed: bool
    value: float | None
    least: float | None
    most: float | None


# What a column's name calls a share. The others are counts per page view, as the contract of `users` says.
_SHARES = r"(^|_)(rate|share|ctr|frequency|retention)(_low|_high)?$"
_PER_PAGE_VIEW = r"^(hover|scroll|click|video|search|form|like|bookmark|share|comment)_rate$"

# What can be summed over the days and over the people of a day.
_TOTALS = ", ".join(f"sum({name}) as {name}" for name in ("sessions", "page_views", "purchases", "revenue"))

_FEW_QUARANTINED: Mapping[str, AllowedRange] = {
    "quarantined_events": AllowedRange(least=0),
    "quarantined_share": AllowedRange(most="max_quarantined_share"),
}


def _quarantined(condition: str) -> str:
    """The figures of the events in quarantine that meet a condition, beside all that were logged."""
    return f"""
        with quarantined as (
            select count(*) as events from quarantine where {condition}
        ),
        logged as (
            select sum(events) as events from intermediate.int_activity_bucketed
        )
        select
            quarantined.events as quarantined_events,
            coalesce(quarantined.events / nullif(logged.events, 0), 0) as quarantined_share
        from quarantined, logged
    """


def _impossible_shares(mart: str) -> str:
    """SQL that counts the shares of a mart which do not lie between 0 and 1."""
    columns = (
        f"columns(lambda name: regexp_matches(name, '{_SHARES}') and not regexp_matches(name, '{_PER_PAGE_VIEW}'))"
    )
    shares = f"unpivot (select {columns} from {mart}) on columns(*) into name share value number"
    return f"(select count(*) from ({shares}) where not (number between 0 and 1))"


SUITES: tuple[Suite, ...] = (
    Suite(
        name="interactions_are_plausible",
        mart="interactions",
        is_blocking=True,
        description=(
            "Strengths are finite, times are in order, and not every interaction is a rejection. Only known users"
            " count for the share of rejections, because anonymous devices could otherwise stop the training."
        ),
        figures="""
            select
                coalesce(avg(is_negative::int) filter (where users.is_known), 0) as negative_share,
                count(case when not isfinite(strength) then 1 end) as undefined_strengths,
                count(case when first_at > last_at then 1 end) as reversed_times
            from interactions
            inner join users using (user_id)
        """,
        ranges={
            "negative_share": AllowedRange(most="max_negative_share"),
            "undefined_strengths": AllowedRange(most=0),
            "reversed_times": AllowedRange(most=0),
        },
    ),
    Suite(
        name="users_are_plausible",
        mart="users",
        is_blocking=True,
        description=(
            "Every user has at least one session and none after the newest event, users who came only once have no"
            " habits, and shares lie between 0 and 1."
        ),
        figures=f"""
            select
                count(*) as users,
                coalesce(min(sessions), 0) as fewest_sessions,
                coalesce(min(recency_days), 0) as least_recency_days,
                count(case when engaged_seconds < 0 then 1 end) as negative_attention,
                count(case when engagement_class in ('frequent', 'occasional', 'inactive') and active_days < 2
                    then 1 end) as classes_without_evidence,
                {_impossible_shares("users")} as impossible_shares
            from users
        """,
        ranges={
            "users": AllowedRange(least=1),
            "fewest_sessions": AllowedRange(least=1),
            "least_recency_days": AllowedRange(least=0),
            "negative_attention": AllowedRange(most=0),
            "classes_without_evidence": AllowedRange(most=0),
            "impossible_shares": AllowedRange(most=0),
        },
    ),
    Suite(
        name="few_events_are_quarantined",
        mart="users",
        is_blocking=True,
        description=(
            "Few events are left out of the marts; the mart `quarantine` lists them with their reasons. Events"
            " that browsers sent have a check of their own, because anybody could stop the training with them."
        ),
        figures=_quarantined("coalesce(authority not in ('browser', 'signed'), true)"),
        ranges=_FEW_QUARANTINED,
    ),
    Suite(
        name="few_browser_events_are_quarantined",
        mart="users",
        is_blocking=False,
        description=(
            "Few events that browsers sent are left out of the marts. Many of them point to a faulty tracker."
        ),
        figures=_quarantined("authority in ('browser', 'signed')"),
        ranges=_FEW_QUARANTINED,
    ),
    Suite(
        name="items_are_plausible",
        mart="items",
        is_blocking=True,
        description="Popularity grows with the window, and rates lie between 0 and 1.",
        figures=f"""
            select
                count(case when popularity_1h > popularity_1d or popularity_1d > popularity_7d
                    or popularity_7d > popularity_all then 1 end) as shrinking_windows,
                {_impossible_shares("items")} as impossible_rates
            from items
        """,
        ranges={
            "shrinking_windows": AllowedRange(most=0),
            "impossible_rates": AllowedRange(most=0),
        },
    ),
    Suite(
        name="totals_of_days_agree",
        mart="daily_metrics",
        is_blocking=False,
        description="Sums over people equal sums over days, and shares of days lie between 0 and 1.",
        figures=f"""
            with days as (
                select {_TOTALS}
                from daily_metrics
            ),
            people as (
                select {_TOTALS}
                from user_days
            )
            select
                coalesce(abs(days.sessions - people.sessions), 0) as different_sessions,
                coalesce(abs(days.page_views - people.page_views), 0) as different_page_views,
                coalesce(abs(days.purchases - people.purchases), 0) as different_purchases,
                coalesce(abs(days.revenue - people.revenue), 0) as different_revenue,
                {_impossible_shares("daily_metrics")} as impossible_shares
            from days, people
        """,
        ranges={
            "different_sessions": AllowedRange(most=0),
            "different_page_views": AllowedRange(most=0),
            "different_purchases": AllowedRange(most=0),
            "different_revenue": AllowedRange(most=0.01),
            "impossible_shares": AllowedRange(most=0),
        },
    ),
    Suite(
        name="funnel_steps_add_up",
        mart="funnels",
        is_blocking=False,
        description="Everybody who entered a step of a funnel went on or dropped out.",
        figures="""
            select
                count(case when entered <> converted + dropped then 1 end) as lost,
                count(case when converted > entered or dropped < 0 then 1 end) as impossible
            from funnels
        """,
        ranges={"lost": AllowedRange(most=0), "impossible": AllowedRange(most=0)},
    ),
    Suite(
        name="sales_pass_a_funnel",
        mart="funnels",
        is_blocking=False,
        description="If the site sells something, its events enter a funnel of at least two sent steps.",
        figures="""
            select
                case when exists (from funnels) then 0 else coalesce(sum(purchases), 0)::bigint end
                    as purchases_beside_all_funnels
            from sessions
            where not is_bot and not is_internal
        """,
        ranges={"purchases_beside_all_funnels": AllowedRange(most=0)},
    ),
    Suite(
        name="sessions_look_as_usual",
        mart="sessions",
        is_blocking=False,
        description="Shares of bots, unknown devices and wrong clocks are within the settings.",
        figures="""
            with latest as (
                select * from sessions where started_at > (select max(started_at) from sessions) - interval 7 day
            )
            select
                coalesce(avg(is_bot::int), 0) as bot_share,
                coalesce(avg((coalesce(device_type, 'other') = 'other')::int), 0) as unknown_device_share,
                (
                    select coalesce(sum(skewed_events) / nullif(sum(events), 0), 0)
                    from intermediate.int_activity_bucketed
                ) as skewed_share
            from latest
        """,
        ranges={
            "bot_share": AllowedRange(most="max_bot_share"),
            "unknown_device_share": AllowedRange(most="max_unknown_device_share"),
            "skewed_share": AllowedRange(most="max_skewed_share"),
        },
    ),
    Suite(
        name="volume_has_not_dropped",
        mart="daily_metrics",
        is_blocking=False,
        description="The last whole day has as many sessions as the same weekday in the four weeks before.",
        figures="""
            with last_day as (
                select max(date) - 1 as date from daily_metrics
            ),
            usual as (
                select avg(sessions) as sessions from daily_metrics, last_day
                where daily_metrics.date in (
                    last_day.date - 7, last_day.date - 14, last_day.date - 21, last_day.date - 28
                )
            )
            select coalesce(
                (select coalesce(sum(sessions), 0) from daily_metrics where date = (select date from last_day))
                / nullif((select sessions from usual), 0), 1
            ) as volume_ratio
        """,
        ranges={"volume_ratio": AllowedRange(least="min_volume_ratio")},
    ),
)


def validate(suite: Suite, figures: pa.Table, settings: WarehouseSettings) -> list[ExpectationResult]:
    """Hold the one row of `figures` against the suite, in the order of its ranges.

    Great Expectations is loaded only now: Dagster's pages start without the seconds that it takes.
    """
    import great_expectations as gx  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batches = context.data_sources.add_pandas("warehouse").add_dataframe_asset(suite.mart)
    expectations = context.suites.add(gx.ExpectationSuite(suite.name, expectations=_expectations(suite, settings)))
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name, data=batches.add_batch_definition_whole_dataframe("all"), suite=expectations
        )
    )
    validated = validation.run(batch_parameters={"dataframe": figures.to_pandas()})
    values = figures.to_pylist()[0]
    results = [_read_result(result, values) for result in validated.results]
    return sorted(results, key=lambda finding: list(suite.ranges).index(finding.figure))


def _expectations(suite: Suite, settings: WarehouseSettings) -> list[Expectation]:
    from great_expectations.expectations import ExpectColumnValuesToBeBetween  # noqa: PLC0415

    return [
        ExpectColumnValuesToBeBetween(
            column=figure,
            min_value=_bound(allowed.least, settings),
            max_value=_bound(allowed.most, settings),
            severity="critical" if suite.is_blocking else "warning",
        )
        for figure, allowed in suite.ranges.items()
    ]


def _bound(bound: float | str | None, settings: WarehouseSettings) -> float | None:
    value = getattr(settings, bound) if isinstance(bound, str) else bound
    return None if value is None else float(value)


def _read_result(result: Any, values: Mapping[str, Any]) -> ExpectationResult:
    bounds = result.expectation_config.kwargs
    figure = str(bounds["column"])
    value = values.get(figure)
    return ExpectationResult(
        figure=figure,
        passed=bool(result.success) and value is not None,  # a figure without a value holds nothing
        value=None if value is None else float(value),
        least=bounds.get("min_value"),
        most=bounds.get("max_value"),
    )
