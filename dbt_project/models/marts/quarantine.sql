{#- A view: odd rows are few, and only a check and analysts ask for them. -#}
{{ config(materialized='view') }}

with events as (

    select
        event_id,
        event_type,
        authority,
        occurred_at,
        received_at,
        recommendation_id,
        quarantine_reason,
        part_path,
        part_row
    from {{ ref('stg_events') }}
    where quarantine_reason is not null or event_type = 'served'

),

numbered_events as (

    select
        *,
        row_number() over (
            partition by event_type, recommendation_id, quarantine_reason order by {{ order_of_answers() }}
        ) as copy_number
    from events

),

events_with_reason as (

    select
        event_id,
        coalesce(quarantine_reason, case when copy_number > 1 then 'repeated_answer' end) as reason,
        event_type,
        authority,
        occurred_at,
        received_at,
        part_path,
        part_row
    from numbered_events

),

quarantine as (

    select * from events_with_reason
    where reason is not null

)

select * from quarantine
