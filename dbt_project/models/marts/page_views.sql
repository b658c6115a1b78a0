{{ config(materialized='view') }}

select
    session_key,
    person_id as user_id,
    event_id as page_view_id,
    viewed_at,
    page_key,
    page_url,
    page_title,
    item_id,
    path_position,
    path_position = 1 as is_entry,
    next_page_key is null as is_exit,
    path_position = 1 and next_page_key is null as is_bounce,
    previous_page_key,
    next_page_key,
    previous_item_id,
    next_item_id,
    heartbeats,
    engaged_seconds,
    exit_seconds,
    coalesce(exit_seconds, case when heartbeats > 0 then engaged_seconds end) as dwell_seconds,
    scroll_depth,
    gap_to_next_seconds
from {{ ref('int_page_views') }}
where {{ counts_in_marts() }}
