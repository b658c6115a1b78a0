{#- A view: only comparisons of rankers ask for it, and those seldom. -#}
{{ config(materialized='view') }}

with events as (

    select
        recommendation_id,
        person_id,
        event_id,
        event_type,
        occurred_at,
        received_at,
        item_id,
        properties,
        {{ counts_in_marts() }} as counts
    from {{ ref('int_events_sessionized') }}
    where recommendation_id is not null and event_type in ('served', 'click') and quarantine_reason is null

),

clicks as (

    select
        recommendation_id,
        count(*) as clicks,
        {{ sorted_list('item_id') }} as clicked_items
    from events
    where event_type = 'click' and counts
    group by recommendation_id

),

numbered_answers as (

    select
        *,
        row_number() over (partition by recommendation_id order by {{ order_of_answers() }}) as copy_number
    from events
    where event_type = 'served'

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
        {{ json_text('properties', 'teams') }} as teams,
        {{ json_text('properties', 'rules') }} as rules
    from numbered_answers
    where copy_number = 1 and counts

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
