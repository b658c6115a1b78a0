{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with views as (

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
        {{ key_of(['page_key']) }} as page,
        row_number() over (partition by session_key, page_key order by occurred_at, event_id) as view_of_page,
        row_number() over session_path as path_position,
        lag(page_key) over session_path as previous_page_key,
        lag(item_id) over session_path as previous_item_id,
        lead(page_key) over session_path as next_page_key,
        lead(item_id) over session_path as next_item_id,
        lead(occurred_at) over session_path as next_viewed_at
    from {{ session_events() }} as events
    where event_type = 'page_view'
    window session_path as (partition by session_key order by occurred_at, event_id)

),

signs_of_life as (

    select
        session_key,
        {{ key_of(['page_key']) }} as page,
        occurred_at,
        case when event_type = 'page_ping' then coalesce(value, {{ var('heartbeat_seconds') }}) end as engaged_seconds,
        case when event_type = 'page_exit' then value end as exit_seconds,
        case
            when event_type = 'scroll' then value
            when event_type = 'page_ping' then try_cast({{ json_text('properties', 'scroll_depth') }} as double)
        end as scroll_depth
    from {{ session_events() }} as events
    where event_type in ('page_ping', 'page_exit', 'scroll')

),

pages_viewed_again as (

    select distinct
        session_key,
        page
    from views
    where view_of_page = 2

),

-- a page viewed once needs no search for the view that a ping belongs to
on_pages_viewed_once as (

    select
        signs_of_life.*,
        1 as view_of_page
    from signs_of_life
    left join pages_viewed_again
        on signs_of_life.session_key = pages_viewed_again.session_key and signs_of_life.page = pages_viewed_again.page
    where pages_viewed_again.session_key is null

),

views_and_signs as (

    select
        session_key,
        page,
        viewed_at as occurred_at,
        1 as is_view,
        null as engaged_seconds,
        null as exit_seconds,
        null as scroll_depth
    from views

    union all

    select
        session_key,
        page,
        occurred_at,
        0 as is_view,
        engaged_seconds,
        exit_seconds,
        scroll_depth
    from signs_of_life

),

on_pages_viewed_again as (

    select
        views_and_signs.*,
        greatest(sum(views_and_signs.is_view) over (
            partition by views_and_signs.session_key, views_and_signs.page
            order by views_and_signs.occurred_at, views_and_signs.is_view desc
            rows between unbounded preceding and current row
        ), 1) as view_of_page
    from views_and_signs
    inner join pages_viewed_again
        on
            views_and_signs.session_key = pages_viewed_again.session_key
            and views_and_signs.page = pages_viewed_again.page

),

placed as (

    select session_key, page, view_of_page, occurred_at, engaged_seconds, exit_seconds, scroll_depth
    from on_pages_viewed_once
    union all
    select session_key, page, view_of_page, occurred_at, engaged_seconds, exit_seconds, scroll_depth
    from on_pages_viewed_again
    where is_view = 0

),

heartbeats as (

    select
        session_key,
        page,
        view_of_page,
        {{ epoch_bucket('occurred_at', var('heartbeat_seconds')) }} as slot,
        max(engaged_seconds) as engaged_seconds,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from placed
    group by session_key, page, view_of_page, slot

),

engagement as (

    select
        session_key,
        page,
        view_of_page,
        sum(engaged_seconds) as engaged_seconds,
        count(engaged_seconds) as heartbeats,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from heartbeats
    group by session_key, page, view_of_page

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
        and views.page = engagement.page
        and views.view_of_page = engagement.view_of_page
