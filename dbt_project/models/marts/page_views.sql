{{ config(materialized='view') }}

with page_views as (

    select * from {{ ref('int_page_views') }}
    where {{ counts_in_marts() }}

),

-- A page that was left open is looked at again in later sessions.
later_attention as (

    select
        page_view_id,
        person_id,
        sum(engaged_seconds) as engaged_seconds,
        sum(heartbeats) as heartbeats
    from {{ ref('int_page_engagement') }}
    where page_view_id is not null
    group by page_view_id, person_id

),

-- It belongs to the first view of the page under its id.
later_attention_of_views as (

    select
        {{ earliest('page_views.event_id', pair_of('page_views.viewed_at', 'page_views.event_id')) }} as event_id,
        any_value(later.engaged_seconds) as engaged_seconds,
        any_value(later.heartbeats) as heartbeats
    from page_views
    inner join later_attention as later
        on page_views.person_id = later.person_id and page_views.page_view_id = later.page_view_id
    group by page_views.person_id, page_views.page_view_id

),

page_views_with_attention as (

    select
        page_views.* {{ without(['engaged_seconds', 'heartbeats']) }},
        {{ rounded(
            'coalesce(page_views.engaged_seconds + later.engaged_seconds, page_views.engaged_seconds, later.engaged_seconds)', 3
        ) }} as engaged_seconds,
        page_views.heartbeats + cast(coalesce(later.heartbeats, 0) as bigint) as heartbeats
    from page_views
    left join later_attention_of_views as later on page_views.event_id = later.event_id

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
        is_bounce,
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
    from page_views_with_attention

)

select * from described_page_views
