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
        country,
        authority,
        case
            when event_type = 'consent_granted' and {{ array_has('consent', "'personalization'") }} then true
            when
                event_type = 'consent_withdrawn'
                and coalesce({{ json_text('properties', 'purposes') }}, 'personalization') like '%personalization%'
                then false
            when event_type = 'preference' and {{ json_text('properties', 'opt_out') }} = 'true' then false
        end as personalization_decision
    from events
    where
        event_type in ('exposure', 'segment_feedback', 'consent_granted', 'consent_withdrawn', 'preference')
        and quarantine_reason is null

)

select * from control_events
