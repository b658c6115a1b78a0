with clock as (

    select max(last_at) as as_of from {{ ref('int_activity_bucketed') }}

),

pairs as (

    select
        person_id as user_id,
        item_id,
        min(first_at) as first_at,
        max(last_at) as last_at,
        sum(events) as events,
        sum(weight * pow(0.5, {{ seconds_between('last_at', 'clock.as_of') }} / 86400 / {{ var('interaction_half_life_days') }})
            * (1 + least(engaged_seconds, {{ var('dwell_cap_seconds') }}) / {{ var('dwell_cap_seconds') }})) as strength,
        sum(views) as views,
        sum(clicks) as clicks,
        sum(impressions) as impressions,
        sum(purchases) as purchases,
        sum(dislikes) as dislikes,
        sum(engaged_seconds) as engaged_seconds
    from {{ ref('int_interactions_weighted') }}
    cross join clock
    group by user_id, item_id

)

select
    *,
    dislikes > 0 or (impressions > 0 and events = impressions) as is_negative
from pairs
