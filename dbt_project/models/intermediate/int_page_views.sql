{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key'], 'fills_queues': {'view_days': {
        'key': site_date('viewed_at'),
        'content': [
            'page_key', 'next_page_key', 'item_id', 'next_item_id', 'exit_seconds', 'heartbeats', 'engaged_seconds',
            'is_bot', 'is_internal'
        ]
    }}}
) }}

with events as (

    select * from {{ session_events() }} as events

),

engagement as (

    select * from {{ rows_to_rebuild(ref('int_page_engagement'), 'session_key') }} as engagement

),

repeats as (

    select * from {{ rows_to_rebuild(ref('int_view_repeats'), 'session_key') }} as repeats

),

items_of_repeats as (

    select
        session_key,
        view_event_id,
        min_by(item_id, {{ pair_of('occurred_at', 'event_id') }}) as item_id
    from repeats
    where item_id is not null
    group by session_key, view_event_id

),

attention_sources as (

    select * from {{ attention_sources() }} as sources

),

reactions as (

    select distinct session_key from events
    where event_type in ('click', {{ text_list(conversions()) }})

),

views as (

    select
        events.session_key,
        events.person_id,
        events.is_bot,
        events.is_internal,
        events.event_id,
        events.occurred_at as viewed_at,
        events.page_key,
        case when events.page_url is not null then events.page_key end as page_url,
        events.page_title,
        {{ page_view_id_of('events.properties') }} as page_view_id,
        coalesce(events.item_id, items.item_id) as item_id,
        attention_sources.source is not null as reports_attention
    from events
    left join attention_sources on coalesce(events.source, '') = attention_sources.source
    left join items_of_repeats as items
        on events.session_key = items.session_key and events.event_id = items.view_event_id
    where events.event_type = 'page_view' and events.event_id not in (select event_id from repeats)

),

views_on_path as (

    select
        *,
        cast(row_number() over session_path as bigint) as path_position,
        lag(page_key) over session_path as previous_page_key,
        lag(item_id) over session_path as previous_item_id,
        lead(page_key) over session_path as next_page_key,
        lead(item_id) over session_path as next_item_id,
        lead(viewed_at) over session_path as next_viewed_at
    from views
    window session_path as (partition by session_key order by viewed_at, event_id)

),

views_with_engagement as (

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
        views.page_view_id,
        views.item_id,
        views.path_position,
        views.previous_page_key,
        views.previous_item_id,
        views.next_page_key,
        views.next_item_id,
        views.path_position = 1 and views.next_page_key is null and reactions.session_key is null as is_bounce,
        coalesce(engagement.heartbeats, 0) as heartbeats,
        case
            when views.reports_attention or engagement.heartbeats > 0
                then {{ rounded('coalesce(engagement.engaged_seconds, 0)', 3) }}
        end as engaged_seconds,
        engagement.exit_seconds,
        engagement.scroll_depth,
        {{ seconds_between('views.viewed_at', 'views.next_viewed_at') }} as gap_to_next_seconds
    from views_on_path as views
    left join engagement
        on views.session_key = engagement.session_key and views.path_position = engagement.path_position
    left join reactions on views.session_key = reactions.session_key

)

select * from views_with_engagement
