{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_parts',
    meta={'reads_parts': 'with_repeats'}
) }}

with source as (

    select * from {{ read_events(source('event_log', 'events'), parts_to_read('stg_event_keys')) }} as events

),

keys as (

    select
        {{ key_of(['event_id']) }} as event_key,
        part_path,
        part_row
    from source

)

select * from keys
