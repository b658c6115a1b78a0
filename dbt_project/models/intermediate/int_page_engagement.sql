{#- Pings, exits and scrolls, summed for each view of a session's path. They are kept apart from int_page_views: with its
    texts in the same query DuckDB counts on so little memory that it works on all of this with one thread. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
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
        case
            when event_type = 'page_ping'
                then {{ number_within(json_text('properties', 'scroll_depth'), *var('value_limits')['scroll']) }}
        end as ping_depth
    from {{ session_events() }} as events
    where event_type in ('page_view', 'page_ping', 'page_exit', 'scroll')

),

views as (

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
    from views
    group by session_key, page

),

-- Only on a page that was viewed again do we have to search for the view that a sign of attention belongs to.
revisited_pages as (

    select
        views.session_key,
        views.page,
        {{ list_of_pairs('views.viewed_at', 'views.path_position') }} as visits
    from views
    inner join pages on views.session_key = pages.session_key and views.page = pages.page
    where pages.times_viewed > 1
    group by views.session_key, views.page

),

-- Pings of one slot are one heartbeat. Exits and scrolls have no slot.
attention_signs as (

    select
        events.session_key,
        case
            when pages.times_viewed = 1 then pages.first_position
            else coalesce({{ largest_second_until('revisited_pages.visits', 'events.occurred_at') }}, pages.first_position)
        end as path_position,
        case when events.event_type = 'page_ping' then {{ epoch_bucket('events.occurred_at', var('heartbeat_seconds')) }} end
            as slot,
        case when events.event_type = 'page_ping' then coalesce(events.value, {{ var('heartbeat_seconds') }}) end
            as engaged_seconds,
        case when events.event_type = 'page_exit' then events.value end as exit_seconds,
        case when events.event_type = 'scroll' then events.value else events.ping_depth end as scroll_depth
    from events
    inner join pages on events.session_key = pages.session_key and events.page = pages.page
    left join revisited_pages
        on events.session_key = revisited_pages.session_key and events.page = revisited_pages.page
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
    from attention_signs
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

select * from engagement
