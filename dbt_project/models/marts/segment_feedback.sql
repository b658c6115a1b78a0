with control_events as (

    select * from {{ ref('int_control_events') }}

),

feedback as (

    select
        event_id as feedback_id,
        user_id,
        segment,
        agrees = 'true' as agrees,
        occurred_at
    from control_events
    where event_type = 'segment_feedback' and agrees is not null

)

select * from feedback
