{#- One row per session and item: what the person did with it. -#}
{%- set weights = var('interaction_weights') -%}
with reactions as (

    select
        session_key,
        person_id,
        item_id,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        count(*) as events,
        sum(case event_type {% for type, weight in weights.items() %} when '{{ type }}' then {{ weight }}{% endfor %} else 0 end) as weight,
        count(*) filter (where event_type = 'page_view') as views,
        count(*) filter (where event_type = 'click') as clicks,
        count(*) filter (where event_type = 'impression') as impressions,
        count(*) filter (where event_type = 'add_to_cart') as carts,
        count(*) filter (where event_type = 'purchase' and value > 0) as purchases,
        coalesce(sum(value) filter (where event_type = 'purchase'), 0) as revenue,
        count(*) filter (where event_type in ('like', 'bookmark', 'share', 'comment', 'follow')) as likes,
        count(*) filter (where event_type in ('dislike', 'not_interested')) as dislikes
    from {{ ref('int_events_sessionized') }}
    where item_id is not null
        and event_type in ({% for type in weights %}'{{ type }}', {% endfor %}'impression')
    group by session_key, person_id, item_id

),

dwells as (

    select session_key, item_id, sum(engaged_seconds) as engaged_seconds
    from {{ ref('int_page_views') }}
    where item_id is not null
    group by session_key, item_id

)

select
    reactions.*,
    coalesce(dwells.engaged_seconds, 0) as engaged_seconds
from reactions
left join dwells on reactions.session_key = dwells.session_key and reactions.item_id = dwells.item_id
