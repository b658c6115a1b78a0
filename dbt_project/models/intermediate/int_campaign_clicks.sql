select
    user_id,
    anonymous_id,
    occurred_at,
    {{ epoch_bucket('occurred_at', var('bucket_seconds')) }} as bucket,
    regexp_extract(page_url, '[?&]utm_campaign=([^&#]*)', 1) as campaign
from {{ ref('stg_events') }}
where event_type = 'page_view' and page_url like '%utm_campaign=_%'
