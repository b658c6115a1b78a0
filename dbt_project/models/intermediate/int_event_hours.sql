{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_parts',
    meta={'reads_parts': 'without_repeats'}
) }}
{%- set paths = parts_to_read('int_event_hours') %}

with events as (

    select
        *,
        date_trunc('hour', occurred_at) as hour
    from {{ events_of_parts(paths) if is_built('int_event_hours') else ref('stg_events') }} as events
    where coalesce(device_type, 'other') <> 'bot' and not coalesce({{ is_suspected() }}, false)

),

event_hours as (

    select
        part_path,
        hour,
        event_type,
        case
            when grouping(device_type) = 0 then 'device_type'
            when grouping(browser) = 0 then 'browser'
            when grouping(country) = 0 then 'country'
            else 'everything'
        end as dimension,
        coalesce(device_type, browser, country, '') as slice,
        count(*) as events,
        count(distinct device_id) as devices,
        {{ counts_of_watched_fields() }}
    from events
    -- noqa: disable=PRS
    group by grouping sets (
        (part_path, hour, event_type),
        (part_path, hour, event_type, device_type),
        (part_path, hour, event_type, browser),
        (part_path, hour, event_type, country)
    )

)

select * from event_hours
-- depends_on: {{ source('event_log', 'events') }} {{ ref('stg_event_repeats') }} {{ ref('stg_exchange_rates') }}
