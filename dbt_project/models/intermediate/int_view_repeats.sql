{#- Trackers send a page view and a product view of one load, and some send a view twice. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select * from {{ session_events() }} as events

),

views as (

    select
        session_key,
        event_id,
        occurred_at,
        item_id,
        {{ key_of(['page_key']) }} as page,
        {{ page_view_id_of('properties') }} as page_view_id
    from events
    where event_type = 'page_view'

),

views_in_order as (

    select
        *,
        lag(occurred_at) over (partition by session_key, page order by occurred_at, event_id) as page_before_at,
        case
            when page_view_id is not null
                then first_value(event_id) over (partition by session_key, page_view_id order by occurred_at, event_id)
        end as first_of_id
    from views

),

-- What follows looks only at pages that were viewed twice within a short time.
quick_pages as (

    select distinct
        session_key,
        page
    from views_in_order
    where {{ seconds_between('page_before_at', 'occurred_at') }} <= {{ var('same_view_seconds') }}

),

quick_views as (

    select
        views.session_key,
        views.event_id,
        views.occurred_at,
        views.page,
        case when views.page_view_id is null then views.item_id end as item_seen,
        sum(case
            when {{ seconds_between('views.page_before_at', 'views.occurred_at') }} <= {{ var('same_view_seconds') }} then 0
            else 1
        end) over (
            partition by views.session_key, views.page order by views.occurred_at, views.event_id
            rows between unbounded preceding and current row
        ) as burst
    from views_in_order as views
    inner join quick_pages on views.session_key = quick_pages.session_key and views.page = quick_pages.page
    where views.page_view_id is null or views.event_id = views.first_of_id

),

quick_views_in_order as (

    select
        *,
        lag(occurred_at) over (
            partition by session_key, page, burst, item_seen order by occurred_at, event_id
        ) as item_before_at
    from quick_views

),

-- The first view of the page belongs to the first view of each item, the second to the second, and so on.
numbered_quick_views as (

    select
        *,
        sum(case
            when item_seen is not null and {{ seconds_between('item_before_at', 'occurred_at') }} <= 1 then 0 else 1
        end) over (
            partition by session_key, page, burst, item_seen order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as load_number
    from quick_views_in_order

),

views_of_loads as (

    select
        session_key,
        event_id,
        first_value(event_id) over (
            partition by session_key, page, burst, load_number order by occurred_at, event_id
        ) as view_event_id
    from numbered_quick_views

),

repeats as (

    select
        views.session_key,
        views.event_id,
        views.occurred_at,
        views.item_id,
        coalesce(loads.view_event_id, views.first_of_id) as view_event_id
    from views_in_order as views
    left join views_of_loads as loads
        on views.session_key = loads.session_key and coalesce(views.first_of_id, views.event_id) = loads.event_id
    where views.event_id <> coalesce(loads.view_event_id, views.first_of_id)

),

first_views as (

    select
        views.session_key,
        views.event_id,
        views.occurred_at,
        views.item_id,
        views.event_id as view_event_id
    from views
    where views.event_id in (select view_event_id from repeats)

),

numbered_views as (

    select
        *,
        row_number() over (
            partition by session_key, view_event_id, item_id
            order by case when event_id = view_event_id then 0 else 1 end, occurred_at, event_id
        ) as item_number
    from (
        select * from first_views
        union all
        select * from repeats
    ) as views_with_repeats

),

described_repeats as (

    select
        session_key,
        event_id,
        view_event_id,
        occurred_at,
        item_id,
        item_id is not null and item_number > 1 as repeats_item
    from numbered_views
    where event_id <> view_event_id

)

select * from described_repeats
