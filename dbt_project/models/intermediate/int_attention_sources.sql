{#- Whether a view without attention was not looked at or nobody measured it depends on its source: one that never reports
    attention says nothing. When a source begins or ceases to report it, every session is queued. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_attention_sources',
    meta={'reads_parts': 'without_repeats', 'fills_queues': {'sessions': 'session_key'}}
) }}
{%- set paths = parts_to_read('int_attention_sources') %}

with events as (

    select * from {{ events_of_parts(paths) if is_built('int_attention_sources') else ref('stg_events') }} as events

),

attention_sources as (

    select distinct
        part_path,
        coalesce(source, '') as source
    from events
    where event_type = 'page_ping' or properties like '%"engaged_delta_seconds"%'

)

select * from attention_sources
-- depends_on: {{ source('event_log', 'events') }} {{ ref('stg_event_repeats') }} {{ ref('stg_exchange_rates') }}
