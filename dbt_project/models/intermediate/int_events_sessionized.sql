{{ config(materialized='view') }}

select
    sessions.session_key,
    sessions.person_id,
    sessions.device_id,
    events.* exclude (user_id),
    events.user_id
from {{ ref('stg_events') }} as events
inner join {{ ref('int_session_buckets') }} as sessions
    on
        {{ epoch_bucket('events.occurred_at', var('bucket_seconds')) }} = sessions.bucket
        and events.user_id is not distinct from sessions.user_id
        and events.anonymous_id is not distinct from sessions.anonymous_id
        and events.occurred_at >= sessions.started_at
        and (sessions.next_started_at is null or events.occurred_at < sessions.next_started_at)
