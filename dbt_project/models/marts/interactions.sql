{{ config(materialized='view') }}

with pairs as (

    select * from {{ ref('user_items') }}

),

consenting as (

    select user_id from {{ ref('users') }}
    where has_personalization_consent

)

select
    pairs.user_id,
    pairs.item_id,
    round(pairs.strength * {{ decay(days_between('pairs.last_at', as_of()), var('interaction_half_life_days')) }}, 6) as strength,
    pairs.first_at,
    pairs.last_at,
    pairs.events,
    pairs.sessions,
    pairs.views,
    pairs.clicks,
    pairs.impressions,
    pairs.likes,
    pairs.dislikes,
    pairs.add_to_carts,
    pairs.purchases,
    pairs.revenue,
    pairs.engaged_seconds,
    pairs.rating,
    pairs.dislikes > 0 or pairs.impressions = pairs.events as is_negative
from pairs
where pairs.user_id in (select user_id from consenting)
