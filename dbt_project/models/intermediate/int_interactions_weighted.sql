{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    pre_hook="{{ enqueue_everything('pairs') }}",
    meta={'reads_queue': 'sessions', 'keys': ['session_key'], 'queues': {'pairs': 'user_id, item_id'}}
) }}
{%- set weights = var('interaction_weights') %}

with item_events as (

    select
        session_key,
        person_id,
        item_id,
        event_type,
        occurred_at,
        value,
        recommendation_id
    from {{ session_events() }} as events
    where
        item_id is not null
        and event_type in ('impression', {{ text_list(weights) }})
        and {{ counts_in_marts() }}

),

reactions as (

    select
        session_key,
        person_id,
        item_id,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        count(*) as events,
        cast(sum(case event_type
            {% for type, weight in weights.items() -%}
            when '{{ type }}' then {{ weight }}
            {% endfor -%}
            else 0
        end) as double) as weight,
        count(case when event_type = 'page_view' then 1 end) as views,
        count(case when event_type = 'click' then 1 end) as clicks,
        count(case when event_type = 'impression' then 1 end) as impressions,
        count(case when event_type in ('like', 'bookmark', 'share', 'comment', 'follow') then 1 end) as likes,
        count(case when event_type in ('dislike', 'not_interested') then 1 end) as dislikes,
        count(case when event_type = 'add_to_cart' then 1 end) as add_to_carts,
        count(case when event_type = 'purchase' and value > 0 then 1 end) as purchases,
        coalesce({{ net_sum("case when event_type = 'purchase' then value end") }}, 0) as revenue,
        max(case when event_type = 'rating' then value end) as rating
    from item_events
    group by session_key, person_id, item_id

),

dwells as (

    select
        session_key,
        item_id,
        round(sum(engaged_seconds), 3) as engaged_seconds
    from {{ ref('int_page_views') }}
    where item_id is not null
    {%- if not rebuilds_all('int_interactions_weighted', 'sessions') %}
    and session_key in {{ queued('sessions', 'session_key') }}
    {%- endif %}
    group by session_key, item_id

)

select
    reactions.session_key,
    reactions.person_id as user_id,
    reactions.item_id,
    reactions.first_at,
    reactions.last_at,
    reactions.events,
    reactions.weight,
    reactions.views,
    reactions.clicks,
    reactions.impressions,
    reactions.likes,
    reactions.dislikes,
    reactions.add_to_carts,
    reactions.purchases,
    reactions.revenue,
    reactions.rating,
    coalesce(dwells.engaged_seconds, 0) as engaged_seconds,
    round(reactions.weight * (
        1 + least(coalesce(dwells.engaged_seconds, 0), {{ var('dwell_cap_seconds') }}) / {{ var('dwell_cap_seconds') }}
    ), 6) as strength
from reactions
left join dwells on reactions.session_key = dwells.session_key and reactions.item_id = dwells.item_id
