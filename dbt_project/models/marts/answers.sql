{#- A view: only comparisons of rankers ask for it, and those seldom. -#}
{{ config(materialized='view') }}

with events as (

    select
        recommendation_id,
        person_id,
        event_type,
        occurred_at,
        item_id,
        properties
    from {{ ref('int_events_sessionized') }}
    where recommendation_id is not null and {{ counts_in_marts() }}

),

clicks as (

    select
        recommendation_id,
        count(*) as clicks,
        {{ sorted_list('item_id') }} as clicked_items
    from events
    where event_type = 'click'
    group by recommendation_id

),

answers as (

    select
        recommendation_id,
        person_id as user_id,
        occurred_at as answered_at,
        {{ json_text('properties', 'slot') }} as slot,
        {{ json_text('properties', 'model_version') }} as model_version,
        {{ json_text('properties', 'role') }} as role,
        {{ json_text('properties', 'items') }} as items,
        {{ json_text('properties', 'propensities') }} as propensities,
        {{ json_text('properties', 'teams') }} as teams
    from events
    where event_type = 'served'

),

answers_with_clicks as (

    select
        answers.*,
        coalesce(clicks.clicks, 0) as clicks,
        clicks.clicked_items
    from answers
    left join clicks on answers.recommendation_id = clicks.recommendation_id

)

select * from answers_with_clicks
