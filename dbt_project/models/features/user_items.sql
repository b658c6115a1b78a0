{#- Strength stands as of the pair's own last event; a view moves it to the moment that is asked for. -#}
{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    pre_hook="{{ enqueue_everything('users') }}",
    meta={'reads_queue': 'pairs', 'keys': ['user_id', 'item_id'], 'queues': {'users': 'user_id'}}
) }}

with reactions as (

    select
        *,
        max(last_at) over (partition by user_id, item_id) as pair_last_at
    from {{ ref('int_interactions_weighted') }}
    {% if not rebuilds_all('user_items', 'pairs') %}
    where (user_id, item_id) in {{ queued('pairs', 'user_id, item_id') }}
    {% endif %}

)

select
    user_id,
    item_id,
    min(first_at) as first_at,
    max(last_at) as last_at,
    sum(events) as events,
    count(*) as sessions,
    sum(views) as views,
    sum(clicks) as clicks,
    sum(impressions) as impressions,
    sum(likes) as likes,
    sum(dislikes) as dislikes,
    sum(add_to_carts) as add_to_carts,
    sum(purchases) as purchases,
    round(sum(revenue), 6) as revenue,
    round(sum(engaged_seconds), 3) as engaged_seconds,
    max(rating) as rating,
    round(sum(
        strength * pow(0.5, {{ seconds_between('last_at', 'pair_last_at') }} / 86400 / {{ var('interaction_half_life_days') }})
    ), 6) as strength
from reactions
group by user_id, item_id
