{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_parts',
    meta={'reads_parts': 'without_repeats'}
) }}
{%- set paths = parts_to_read('int_campaign_clicks') %}

with events as (

    select * from {{ events_of_parts(paths) if is_built('int_campaign_clicks') else ref('stg_events') }} as events

),

campaign_clicks as (

    select
        part_path,
        user_id,
        anonymous_id,
        device_id,
        bucket,
        occurred_at,
        {{ url_parameter('page_url', 'utm_campaign') }} as campaign
    from events
    where event_type = 'page_view' and page_url like '%utm_campaign=_%'

)

select * from campaign_clicks
-- depends_on: {{ source('event_log', 'events') }} {{ ref('stg_event_repeats') }} {{ ref('stg_exchange_rates') }}
