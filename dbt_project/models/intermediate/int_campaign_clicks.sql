{{ config(
    materialized=kept(), incremental_strategy='replace_parts',
    post_hook='{{ commit_parts(fingerprint=true) }}', meta={'fingerprint': true}
) }}
{%- set paths = parts_to_take('int_campaign_clicks', fingerprint=true) %}

select
    part_path,
    user_id,
    anonymous_id,
    device_id,
    bucket,
    occurred_at,
    {{ url_parameter('page_url', 'utm_campaign') }} as campaign
from {{ events_of_parts(paths) if is_built('int_campaign_clicks') else ref('stg_events') }} as events
where event_type = 'page_view' and page_url like '%utm_campaign=_%'
-- depends_on: {{ source('event_log', 'events') }} {{ ref('stg_event_repeats') }}
