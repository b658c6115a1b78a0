{{ config(materialized='view') }}

with page_views as (

    select * from {{ ref('int_page_views') }}
    where {{ counts_in_marts() }}

),

described_page_views as (

    select
        -- ids
        session_key,
        person_id as user_id,
        event_id as page_view_id,

        -- the page
        viewed_at,
        page_key,
        page_url,
        page_title,
        item_id,

        -- path
        path_position,
        path_position = 1 as is_entry,
        next_page_key is null as is_exit,
        path_position = 1 and next_page_key is null as is_bounce,
        previous_page_key,
        next_page_key,
        previous_item_id,
        next_item_id,

        -- attention
        heartbeats,
        engaged_seconds,
        exit_seconds,
        {{ dwell_seconds() }} as dwell_seconds,
        scroll_depth,
        gap_to_next_seconds
    from page_views

)

select * from described_page_views
