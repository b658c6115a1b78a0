{#- A view: only comparisons of rankers ask for it, and those seldom. -#}
{{ config(materialized='view') }}

with events as (

    select
        recommendation_id,
        person_id as user_id,
        event_type,
        occurred_at,
        item_id,
        properties
    from {{ ref('int_events_sessionized') }}
    where event_type in ('served', 'click') and recommendation_id is not null and {{ counts_in_marts() }}

),

clicks as (

    select
        recommendation_id,
        count(*) as clicks,
        {{ sorted_list('item_id') }} as clicked_items
    from events
    where event_type = 'click'
    group by recommendation_id

)

select
    events.recommendation_id,
    events.user_id,
    events.occurred_at as answered_at,
    {{ json_text('events.properties', 'slot') }} as slot,
    {{ json_text('events.properties', 'model_version') }} as model_version,
    {{ json_text('events.properties', 'role') }} as role,
    {{ json_text('events.properties', 'items') }} as items,
    {{ json_text('events.properties', 'propensities') }} as propensities,
    {{ json_text('events.properties', 'teams') }} as teams,
    coalesce(clicks.clicks, 0) as clicks,
    clicks.clicked_items
from events
left join clicks on events.recommendation_id = clicks.recommendation_id
where events.event_type = 'served'
