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

with events as (

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
        properties,
        {{ key_of(['page_key']) }} as page
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
        page,
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

pages as (

    select
        session_key,
        page,
        min(path_position) as first_position,
        count(*) as times_viewed
    from views
    group by session_key, page

),

signs_of_life as (

    select
        session_key,
        page,
        occurred_at,
        -- pings of one slot are one heartbeat; what else tells of the page has no slot
        case when event_type = 'page_ping' then {{ epoch_bucket('occurred_at', var('heartbeat_seconds')) }} end as slot,
        case when event_type = 'page_ping' then coalesce(value, {{ var('heartbeat_seconds') }}) end as engaged_seconds,
        case when event_type = 'page_exit' then value end as exit_seconds,
        case
            when event_type = 'scroll' then value
            when event_type = 'page_ping' then try_cast({{ json_text('properties', 'scroll_depth') }} as double)
        end as scroll_depth
    from events
    where event_type in ('page_ping', 'page_exit', 'scroll')

),

signs_on_pages as (

    select
        signs_of_life.*,
        pages.first_position,
        pages.times_viewed
    from signs_of_life
    inner join pages
        on signs_of_life.session_key = pages.session_key and signs_of_life.page = pages.page

),

-- only a page viewed again needs a search for the view that a sign belongs to
views_and_signs as (

    select
        views.session_key,
        views.page,
        views.viewed_at as occurred_at,
        views.path_position,
        pages.first_position,
        null as slot,
        null as engaged_seconds,
        null as exit_seconds,
        null as scroll_depth
    from views
    inner join pages on views.session_key = pages.session_key and views.page = pages.page
    where pages.times_viewed > 1

    union all

    select
        session_key,
        page,
        occurred_at,
        null as path_position,
        first_position,
        slot,
        engaged_seconds,
        exit_seconds,
        scroll_depth
    from signs_on_pages
    where times_viewed > 1

),

searched as (

    select
        session_key,
        path_position,
        slot,
        engaged_seconds,
        exit_seconds,
        scroll_depth,
        coalesce(max(path_position) over (
            partition by session_key, page
            order by occurred_at, path_position nulls last
            rows between unbounded preceding and current row
        ), first_position) as view_position
    from views_and_signs

),

placed as (

    select session_key, first_position as path_position, slot, engaged_seconds, exit_seconds, scroll_depth
    from signs_on_pages
    where times_viewed = 1
    union all
    select session_key, view_position as path_position, slot, engaged_seconds, exit_seconds, scroll_depth
    from searched
    where path_position is null

),

heartbeats as (

    select
        session_key,
        path_position,
        slot,
        max(engaged_seconds) as engaged_seconds,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from placed
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
