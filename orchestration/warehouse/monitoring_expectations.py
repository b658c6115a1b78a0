"""Expectations on what monitoring counts and on the table `alarms`."""

from __future__ import annotations

from orchestration.warehouse.expectations import AllowedRange, Suite

MONITORING_SUITES: tuple[Suite, ...] = (
    Suite(
        name="watched_counts_add_up",
        mart="alarms",
        is_blocking=False,
        description=(
            "The slices of each dimension add up to everything, no part is larger than its whole, and each cause"
            " is one alarm that became certain after it began."
        ),
        figures="""
            with sums as (
                select hour, event_type, dimension, sum(events) as events
                from event_hours
                group by hour, event_type, dimension
            )
            select
                (
                    select count(*)
                    from sums as slices
                    inner join sums as whole
                        on slices.hour = whole.hour and slices.event_type = whole.event_type
                    where whole.dimension = 'everything' and slices.events <> whole.events
                ) as hours_that_do_not_add_up,
                (
                    select count(*) from event_hours where greatest(*columns('with_.*'), devices) > events
                ) as fields_beyond_events,
                (select count(*) from answer_hours where clicked_answers > answers) as clicked_beyond_answers,
                (select count(*) from category_days where familiar_views > views) as familiar_beyond_views,
                (
                    select count(*) from alarms
                    where detected_at < since
                        or (subject <> 'volume' and not (usual between 0 and 1 and observed between 0 and 1))
                ) as impossible_alarms,
                (
                    select count(*) - count(distinct (subject, measure, dimension, slice, since)) from alarms
                ) as repeated_alarms
        """,
        ranges={
            "hours_that_do_not_add_up": AllowedRange(most=0),
            "fields_beyond_events": AllowedRange(most=0),
            "clicked_beyond_answers": AllowedRange(most=0),
            "familiar_beyond_views": AllowedRange(most=0),
            "impossible_alarms": AllowedRange(most=0),
            "repeated_alarms": AllowedRange(most=0),
        },
    ),
)
