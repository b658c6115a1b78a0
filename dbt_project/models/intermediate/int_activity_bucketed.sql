{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_parts',
    meta={'reads_parts': 'without_repeats', 'fills_queues': {'devices': ['device_id', 'user_id']}}
) }}
{%- set paths = parts_to_read('int_activity_bucketed') %}
{%- set counted_fields = [
    'event_id', 'received_at', 'event_type', 'value', 'is_refund', 'order_id', 'currency', 'item_id', 'authority'
] %}

with events as (

    select * from {{ events_of_parts(paths) if is_built('int_activity_bucketed') else ref('stg_events') }} as events

),

activity as (

    select
        part_path,
        user_id,
        anonymous_id,
        device_id,
        trusted_session_id,
        bucket,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        count(*) as events,
        count(*) filter (where event_type = 'page_view') as page_views,
        count(*) filter (where {{ seconds_between('received_at', 'occurred_at') }} > {{ var('clock_skew_seconds') }})
            as skewed_events,
        count(distinct coalesce(order_id, event_id)) filter (
            where {{ is_claim() }} and event_type in ({{ text_list(conversions()) }})
        ) as claimed_conversions,
        coalesce(bool_or(device_type = 'bot' or {{ is_suspected() }}), false) as is_bot,
        coalesce(bool_or(case when event_type = 'page_view' then {{ is_internal_traffic() }} end), false) as is_internal,
        {{ fingerprint_of(counted_fields) }} as content
    from events
    group by part_path, user_id, anonymous_id, device_id, trusted_session_id, bucket

)

select * from activity
-- depends_on: {{ source('event_log', 'events') }} {{ ref('stg_event_repeats') }} {{ ref('stg_exchange_rates') }}
-- depends_on: {{ ref('int_attention_sources') }}
