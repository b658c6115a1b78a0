with page_events as (

    select
        session_key, person_id, event_id, event_type, occurred_at, page_key, page_url, page_title, item_id, value,
        case when event_type = 'page_ping' then try_cast({{ json_text('properties', 'scroll_depth') }} as double) end as ping_depth,
        count(*) filter (where event_type = 'page_view') over (
            partition by session_key, page_key
            order by occurred_at, event_type = 'page_view' desc, event_id
            rows between unbounded preceding and current row
        ) as visit_of_page
    from {{ ref('int_events_sessionized') }}
    where event_type in ('page_view', 'page_ping', 'page_exit', 'scroll')

),

views as (

    select
        session_key, person_id, event_id, occurred_at as viewed_at, page_key, page_url, page_title, item_id, visit_of_page,
        row_number() over session_path as path_position,
        lag(page_key) over session_path as previous_page_key,
        lead(page_key) over session_path as next_page_key,
        lead(occurred_at) over session_path as next_viewed_at
    from page_events
    where event_type = 'page_view'
    window session_path as (partition by session_key order by occurred_at, event_id)

),

beats as (

    select
        session_key,
        page_key,
        visit_of_page,
        {{ epoch_bucket('occurred_at', var('heartbeat_seconds')) }} as beat,
        max(case when event_type = 'page_ping' then coalesce(value, {{ var('heartbeat_seconds') }}) end) as engaged_seconds,
        max(case when event_type = 'page_exit' then value end) as exit_seconds,
        max(case when event_type = 'scroll' then value else ping_depth end) as scroll_depth
    from page_events
    where event_type <> 'page_view'
    group by session_key, page_key, visit_of_page, beat

),

engagement as (

    select
        session_key,
        page_key,
        visit_of_page,
        sum(engaged_seconds) as engaged_seconds,
        max(exit_seconds) as exit_seconds,
        max(scroll_depth) as scroll_depth
    from beats
    group by session_key, page_key, visit_of_page

)

select
    views.* exclude (visit_of_page),
    coalesce(engagement.engaged_seconds, 0) as engaged_seconds,
    engagement.exit_seconds,
    engagement.scroll_depth,
    {{ seconds_between('views.viewed_at', 'views.next_viewed_at') }} as gap_to_next_seconds,
    views.path_position = 1 as is_entry,
    views.next_page_key is null as is_exit
from views
left join engagement
    on
        views.session_key = engagement.session_key
        and views.page_key = engagement.page_key
        and views.visit_of_page = engagement.visit_of_page
