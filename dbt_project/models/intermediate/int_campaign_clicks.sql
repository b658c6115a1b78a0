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
from {{ ref('stg_events') }}
where
    event_type = 'page_view' and page_url like '%utm_campaign=_%'
    {% if is_built('int_campaign_clicks') %}
    and part_path in ({{ text_list(paths) }})
    {% endif %}
