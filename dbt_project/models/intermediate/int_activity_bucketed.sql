with events as (

    select
        user_id,
        anonymous_id,
        occurred_at,
        {{ epoch_bucket('occurred_at', var('bucket_seconds')) }} as bucket
    from {{ ref('stg_events') }}

)

select
    user_id,
    anonymous_id,
    coalesce(anonymous_id, user_id) as device_id,
    bucket,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at,
    count(*) as events
from events
group by user_id, anonymous_id, bucket
