{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select * from {{ session_events() }} as events

),

control_events as (

    select
        session_key,
        person_id as user_id,
        is_bot,
        is_internal,
        event_id,
        event_type,
        occurred_at,
        experiment_id,
        variant,
        coalesce(
            {{ json_text('properties', 'unit_type') }}, case when user_id is not null then 'user' else 'anonymous' end
        ) as unit_type,
        coalesce(
            {{ json_text('properties', 'unit_id') }},
            case {{ json_text('properties', 'unit_type') }}
                when 'session' then client_session_id
                when 'anonymous' then anonymous_id
                when 'user' then user_id
            end,
            user_id, anonymous_id
        ) as unit_id,
        {{ json_text('properties', 'segment') }} as segment,
        {{ json_text('properties', 'agrees') }} as agrees,
        device_type,
        country
    from events
    where event_type in ('exposure', 'segment_feedback')

)

select * from control_events
