"""Expectations on the tables `paths`, `path_attribution` and `signals`."""

from __future__ import annotations

from orchestration.warehouse.expectations import AllowedRange, Suite

PATH_SUITES: tuple[Suite, ...] = (
    Suite(
        name="paths_are_plausible",
        mart="path_chains",
        is_blocking=False,
        description=(
            "Chances lie between 0 and 1, intervals are in order, and paths have no more views and exits than"
            " there are moves between categories and pages."
        ),
        figures="""
            with counted as (
                select
                    coalesce(sum(views) filter (where level = 'category'), 0) as views,
                    coalesce(sum(exits) filter (where level = 'page'), 0) as exits
                from paths where grouping = 'all'
            )
            select
                (
                    select count(*) from (unpivot paths on conversion_chance, removal_effect) as chances
                    where value not between -1e-9 and 1 + 1e-9
                ) as impossible_chances,
                (
                    select count(*) from paths
                    where conversion_chance_low > conversion_chance_high
                        or removal_effect_low > removal_effect_high
                ) as reversed_intervals,
                (select coalesce(min(people), 2) from paths) as fewest_people,
                greatest(counted.views - (select coalesce(sum(moves), 0) from category_transitions), 0)
                    as views_beyond_moves,
                greatest(
                    counted.exits - (select coalesce(sum(moves), 0) from page_transitions where to_page = ''), 0
                ) as exits_beyond_moves
            from counted
        """,
        ranges={
            "impossible_chances": AllowedRange(most=0),
            "reversed_intervals": AllowedRange(most=0),
            "fewest_people": AllowedRange(least=2),
            "views_beyond_moves": AllowedRange(most=0),
            "exits_beyond_moves": AllowedRange(most=0),
        },
    ),
    Suite(
        name="credited_conversions_add_up",
        mart="path_chains",
        is_blocking=False,
        description="Every method credits the same conversions and revenue, and shares add up to 1.",
        figures="""
            with credited as (
                select
                    dimension, method,
                    sum(conversions) as conversions, sum(revenue) as revenue, sum(share) as share
                from path_attribution
                group by dimension, method
            )
            select
                coalesce(max(conversions) - min(conversions), 0) as different_conversions,
                coalesce(max(revenue) - min(revenue), 0) as different_revenue,
                coalesce(max(abs(share - 1)), 0) as shares_beside_one,
                (select count(*) from path_attribution where conversions < 0) as negative_credits
            from credited
        """,
        ranges={
            "different_conversions": AllowedRange(most=1e-6),
            "different_revenue": AllowedRange(most=0.01),
            "shares_beside_one": AllowedRange(most=1e-9),
            "negative_credits": AllowedRange(most=0),
        },
    ),
    Suite(
        name="signals_are_plausible",
        mart="conversion_signals",
        is_blocking=False,
        description="Intervals contain their lift, shares are possible, and no row is about too few people.",
        figures="""
            select
                count(*) filter (where lift not between lift_low and lift_high) as lifts_outside_intervals,
                count(*) filter (
                    where share_of_visits not between 0 and 1 or converted_with not between 0 and 1
                        or p_value not between 0 and 1
                ) as impossible_shares,
                count(*) filter (where e_value < 1 or e_value_of_bound < 1) as impossible_e_values,
                coalesce(min(people), 2) as fewest_people
            from signals
        """,
        ranges={
            "lifts_outside_intervals": AllowedRange(most=0),
            "impossible_shares": AllowedRange(most=0),
            "impossible_e_values": AllowedRange(most=0),
            "fewest_people": AllowedRange(least=2),
        },
    ),
)
