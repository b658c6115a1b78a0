{#- When each session took each step that a funnel of the settings names. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={
        'reads_queue': 'sessions', 'keys': ['session_key'],
        'fills_queues': {'funnel_sessions': 'session_key', 'funnel_users': 'user_id'}
    }
) }}

with events as (

    select
        session_key,
        person_id,
        occurred_at,
        {{ steps_taken_by_event() }} as step
    from {{ session_events() }} as events
    where
        {{ counts_in_marts() }}
        and event_type in ({{ text_list(funnel_event_types()) }})
        and (event_type <> 'purchase' or ({{ is_purchase() }} and {{ counts_as_conversion() }}))

),

steps as (

    select
        session_key,
        person_id as user_id,
        step,
        {{ sorted_list('occurred_at') }} as taken_at
    from events
    where step is not null
    group by session_key, person_id, step

)

select * from steps
