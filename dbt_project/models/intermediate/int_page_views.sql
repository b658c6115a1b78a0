{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with page_events as (

    select
        session_key,
        person_id,
        is_bot,
        is_internal,
        event_id,
        event_type,
        occurred_at,
        page_key,
        page_url,
        page_title,
        item_id,
        value,
        case when event_type = 'page_ping' then try_cast({{ json_text('properties', 'scroll_depth') }} as double) end as ping_depth,
        count(case when event_type = 'page_view' then 1 end) over (
            partition by session_key, page_key
            order by occurred_at, case when event_type = 'page_view' then 0 else 1 end, event_id
            rows between unbounded preceding and current row
        ) as view_of_page
    from {{ session_events() }} as events
    where event_type in ('page_view', 'page_ping', 'page_exit', 'scroll')

),

views as (

    select
        session_key,
        person_id,
        is_bot,
        is_internal,
        event_id,
        occurred_at as viewed_at,
        page_key,
        page_url,
        page_title,
        item_id,
        view_of_page,
        row_number() over session_path as path_position,
        lag(page_key) over session_path as previous_page_key,
        lag(item_id) over session_path as previous_item_id,
        lead(page_key) over session_path as next_page_key,
        lead(item_id) over session_path as next_item_id,
        lead(occurred_at) over session_path as next_viewed_at
    from page_events
    where event_type = 'page_view'
    window session_path as (partition by session_key order by occurred_at, event_id)

),

heartbeats as (

    select
        session_key,
        page_key,
        view_of_page,
        {{ epoch_bucket('occurred_at', var('heartbeat_seconds')) }} as slot,
        max(case when event_type = 'page_ping' then coalesce(value, {{ var('heartbeat_seconds') }}) end) as engaged_seconds,
        max(case when event_type = 'page_exit' then value end) as exit_seconds,
        max(case when event_type = 'scroll' then value else ping_depth end) as scroll_depth
    from page_events
    where event_type <> 'page_view'
    group by session_key, page_key, view_of_page, slot

),

engagement as (

    select
        session_key,
        page_key,
        view_of_page,
        sum(engaged_seconds) as engaged_seconds,
        count(engaged_seconds) as heartbeats,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from heartbeats
    group by session_key, page_key, view_of_page

)

select
    views.session_key,
    views.person_id,
    views.is_bot,
    views.is_internal,
    views.event_id,
    views.viewed_at,
    views.page_key,
    views.page_url,
    views.page_title,
    views.item_id,
    views.path_position,
    views.previous_page_key,
    views.previous_item_id,
    views.next_page_key,
    views.next_item_id,
    coalesce(engagement.heartbeats, 0) as heartbeats,
    round(coalesce(engagement.engaged_seconds, 0), 3) as engaged_seconds,
    engagement.exit_seconds,
    engagement.scroll_depth,
    {{ seconds_between('views.viewed_at', 'views.next_viewed_at') }} as gap_to_next_seconds
from views
left join engagement
    on
        views.session_key = engagement.session_key
        and views.page_key = engagement.page_key
        and views.view_of_page = engagement.view_of_page
