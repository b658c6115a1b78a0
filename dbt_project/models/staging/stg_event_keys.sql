{{ config(materialized=kept(), incremental_strategy='replace_parts', post_hook='{{ commit_parts() }}') }}

select
    {{ key_of(['event_id']) }} as event_key,
    part_path,
    part_row
from {{ read_events(source('event_log', 'events'), parts_to_take('stg_event_keys')) }} as events
