{#- A view: the assets that learn from it read it once a training, and a table would hold the log a second time. -#}
{{ config(materialized='view') }}

with events as (

    select
        session_key,
        person_id,
        event_id,
        occurred_at,
        event_type,
        page_key,
        item_id,
        value,
        case when event_type in ('click', 'hover') then {{ json_text('properties', 'element') }} end as element,
        event_type = 'click' and coalesce({{ json_text('properties', 'has_effect') }} = 'false', false) as is_dead_click,
        {{ is_purchase() }} and {{ counts_as_conversion() }} as is_purchase
    from {{ ref('int_events_sessionized') }}
    where {{ counts_in_marts() }} and event_type not in ({{ text_list(not_done_by_visitors()) }})

),

visit_events as (

    select
        -- ids
        session_key,
        person_id as user_id,
        event_id,

        -- what happened
        occurred_at,
        event_type,
        element,
        page_key,
        item_id,
        value,
        is_dead_click,
        is_purchase
    from events

)

select * from visit_events
