{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    pre_hook="{{ enqueue_everything('view_days') }}",
    meta={'reads_queue': 'sessions', 'keys': ['session_key'], 'queues': {'view_days': {
        'key': 'cast(viewed_at as date)',
        'content': [
            'page_key', 'next_page_key', 'item_id', 'next_item_id', 'exit_seconds', 'heartbeats', 'engaged_seconds',
            'is_bot', 'is_internal'
        ]
    }}}
) }}

-- texts are kept of views alone: signs of life, thrice as many, need none
with events as (

    select
        session_key,
        event_type,
        occurred_at,
        {{ key_of(['page_key']) }} as page,
        value,
        case when event_type = 'page_ping' then try_cast({{ json_text('properties', 'scroll_depth') }} as double) end as ping_depth,
        case when event_type = 'page_view' then person_id end as person_id,
        is_bot,
        is_internal,
        case when event_type = 'page_view' then event_id end as event_id,
        case when event_type = 'page_view' then page_key end as page_key,
        page_url is not null as has_url,
        case when event_type = 'page_view' then page_title end as page_title,
        case when event_type = 'page_view' then item_id end as item_id
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
        case when has_url then page_key end as page_url,
        page_title,
        item_id,
        row_number() over session_path as path_position,
        lag(page_key) over session_path as previous_page_key,
        lag(item_id) over session_path as previous_item_id,
        lead(page_key) over session_path as next_page_key,
        lead(item_id) over session_path as next_item_id,
        lead(occurred_at) over session_path as next_viewed_at
    from events
    where event_type = 'page_view'
    window session_path as (partition by session_key order by occurred_at, event_id)

),

-- the same positions without the texts: numbering twice is cheaper than keeping the texts for a second look
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

),

engagement as (

    select
        session_key,
        path_position,
        sum(engaged_seconds) as engaged_seconds,
        count(engaged_seconds) as heartbeats,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from heartbeats
    group by session_key, path_position

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
    on views.session_key = engagement.session_key and views.path_position = engagement.path_position
