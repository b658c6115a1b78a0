{#- Pings, exits and scrolls, summed for each view of a session's path. They are kept apart from int_page_views: with its
    texts in the same query DuckDB counts on so little memory that it works on all of this with one thread. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select
        session_key,
        person_id,
        event_type,
        occurred_at,
        event_id,
        {{ key_of(['page_key']) }} as page,
        {{ page_view_id_of('properties') }} as page_view_id,
        value,
        case
            when event_type = 'page_ping'
                then {{ number_within(json_text('properties', 'scroll_depth'), *var('value_limits')['scroll']) }}
        end as ping_depth,
        case
            when properties like '%"engaged_delta_seconds"%'
                then {{ number_within(
                    json_text('properties', 'engaged_delta_seconds'), *var('value_limits')['page_ping']
                ) }}
        end as delta_seconds
    from {{ session_events() }} as events
    where
        event_type in ('page_view', 'page_ping', 'page_exit', 'scroll')
        or properties like '%"engaged_delta_seconds"%'

),

repeats as (

    select * from {{ rows_to_rebuild(ref('int_view_repeats'), 'session_key') }} as repeats

),

views as (

    select
        session_key,
        event_id,
        page,
        occurred_at as viewed_at,
        row_number() over (partition by session_key order by occurred_at, event_id) as path_position
    from events
    where event_type = 'page_view' and event_id not in (select event_id from repeats)

),

views_by_id as (

    select
        events.session_key,
        events.page_view_id,
        min(views.path_position) as path_position
    from events
    left join repeats on events.session_key = repeats.session_key and events.event_id = repeats.event_id
    inner join views
        on events.session_key = views.session_key and coalesce(repeats.view_event_id, events.event_id) = views.event_id
    where events.event_type = 'page_view' and events.page_view_id is not null
    group by events.session_key, events.page_view_id

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

-- Pings of one slot are one heartbeat. Exits, scrolls and deltas have no slot.
attention_signs as (

    select
        events.session_key,
        events.person_id,
        events.occurred_at,
        events.page_view_id,
        coalesce(
            views_by_id.path_position,
            case
                when pages.times_viewed = 1 then pages.first_position
                else coalesce({{ largest_second_until('revisited_pages.visits', 'events.occurred_at') }}, pages.first_position)
            end
        ) as path_position,
        case
            when events.event_type = 'page_ping' and events.delta_seconds is null
                then {{ epoch_bucket('events.occurred_at', var('heartbeat_seconds')) }}
        end as slot,
        case
            when events.event_type = 'page_ping' and events.delta_seconds is null
                then coalesce(events.value, {{ var('heartbeat_seconds') }})
        end as engaged_seconds,
        events.delta_seconds,
        case when events.event_type = 'page_exit' then events.value end as exit_seconds,
        case when events.event_type = 'scroll' then events.value else events.ping_depth end as scroll_depth
    from events
    left join pages on events.session_key = pages.session_key and events.page = pages.page
    left join revisited_pages
        on events.session_key = revisited_pages.session_key and events.page = revisited_pages.page
    left join views_by_id
        on events.session_key = views_by_id.session_key and events.page_view_id = views_by_id.page_view_id
    where events.event_type in ('page_ping', 'page_exit', 'scroll') or events.delta_seconds is not null

),

-- Attention to a page that was not opened in this session stands under the id that the tracker gives to its view.
placed_signs as (

    select
        session_key,
        path_position,
        case when path_position is null then page_view_id end as page_view_id,
        case when path_position is null then person_id end as person_id,
        case when path_position is null then occurred_at end as first_at,
        slot,
        engaged_seconds,
        delta_seconds,
        exit_seconds,
        scroll_depth
    from attention_signs
    where path_position is not null or engaged_seconds is not null or delta_seconds is not null

),

heartbeats as (

    select
        session_key,
        path_position,
        page_view_id,
        person_id,
        slot,
        min(first_at) as first_at,
        max(engaged_seconds) as engaged_seconds,
        sum(delta_seconds) as delta_seconds,
        count(case when delta_seconds > 0 then 1 end) as deltas,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from placed_signs
    group by session_key, path_position, page_view_id, person_id, slot

),

engagement as (

    select
        session_key,
        path_position,
        page_view_id,
        person_id,
        min(first_at) as first_at,
        sum(coalesce(engaged_seconds, 0) + coalesce(delta_seconds, 0)) as engaged_seconds,
        count(engaged_seconds) + cast(sum(deltas) as bigint) as heartbeats,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from heartbeats
    group by session_key, path_position, page_view_id, person_id

)

select * from engagement
