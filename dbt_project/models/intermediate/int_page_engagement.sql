{#- What the signs of life say of each view of a session's path. Kept apart from int_page_views, whose texts in the same
    query leave DuckDB so little memory by its own count that it takes one thread for all of this. -#}
{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select
        session_key,
        event_type,
        occurred_at,
        event_id,
        {{ key_of(['page_key']) }} as page,
        value,
        case when event_type = 'page_ping' then try_cast({{ json_text('properties', 'scroll_depth') }} as double) end as ping_depth
    from {{ session_events() }} as events
    where event_type in ('page_view', 'page_ping', 'page_exit', 'scroll')

),

path as (

    select
        session_key,
        page,
        occurred_at as viewed_at,
        row_number() over (partition by session_key order by occurred_at, event_id) as path_position
    from events
    where event_type = 'page_view'

),

pages as (

    select
        session_key,
        page,
        min(path_position) as first_position,
        count(*) as times_viewed
    from path
    group by session_key, page

),

-- only a page viewed again needs a search for the view that a sign belongs to
revisits as (

    select
        path.session_key,
        path.page,
        {{ list_of_pairs('path.viewed_at', 'path.path_position') }} as visits
    from path
    inner join pages on path.session_key = pages.session_key and path.page = pages.page
    where pages.times_viewed > 1
    group by path.session_key, path.page

),

signs_of_life as (

    select
        events.session_key,
        case
            when pages.times_viewed = 1 then pages.first_position
            else coalesce({{ largest_second_until('revisits.visits', 'events.occurred_at') }}, pages.first_position)
        end as path_position,
        -- pings of one slot are one heartbeat; what else tells of the page has no slot
        case when events.event_type = 'page_ping' then {{ epoch_bucket('events.occurred_at', var('heartbeat_seconds')) }} end as slot,
        case when events.event_type = 'page_ping' then coalesce(events.value, {{ var('heartbeat_seconds') }}) end as engaged_seconds,
        case when events.event_type = 'page_exit' then events.value end as exit_seconds,
        case when events.event_type = 'scroll' then events.value else events.ping_depth end as scroll_depth
    from events
    inner join pages on events.session_key = pages.session_key and events.page = pages.page
    left join revisits on events.session_key = revisits.session_key and events.page = revisits.page
    where events.event_type in ('page_ping', 'page_exit', 'scroll')

),

heartbeats as (

    select
        session_key,
        path_position,
        slot,
        max(engaged_seconds) as engaged_seconds,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from signs_of_life
    group by session_key, path_position, slot

)

select
    session_key,
    path_position,
    sum(engaged_seconds) as engaged_seconds,
    count(engaged_seconds) as heartbeats,
    max(exit_seconds) as exit_seconds,
    max(scroll_depth) as scroll_depth
from heartbeats
group by session_key, path_position
