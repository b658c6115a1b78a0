{#- A session with exposures is cut at each of them, so that what came before an exposure is kept apart from what came after. -#}
{{ config(
    materialized='incremental', incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with control_events as (

    select * from {{ rows_to_rebuild(ref('int_control_events'), 'session_key') }} as control_events

),

events as (

    select * from {{ session_events() }} as events

),

page_views as (

    select * from {{ ref('int_page_views') }}

),

cuts as (

    select
        session_key,
        list(distinct occurred_at) as cut_at
    from control_events
    where event_type = 'exposure' and {{ counts_in_marts() }}
    group by session_key

),

cut_events as (

    select
        events.session_key,
        events.person_id,
        events.event_type,
        events.occurred_at,
        events.value,
        events.is_refund,
        events.order_id,
        events.recommendation_id,
        events.authority,
        list_max(list_filter(cuts.cut_at, lambda cut: cut <= events.occurred_at)) as exposed_at
    from events
    inner join cuts on events.session_key = cuts.session_key
    where events.event_type not in ('page_ping', 'page_exit', 'scroll', 'hover', 'cursor', 'video_progress', 'served')

),

measured_stretches as (

    select
        session_key,
        person_id as user_id,
        exposed_at,
        min(occurred_at) as started_at,
        {{ measures() }}
    from cut_events
    group by session_key, person_id, exposed_at

),

attention as (

    select
        page_views.session_key,
        list_max(list_filter(cuts.cut_at, lambda cut: cut <= page_views.viewed_at)) as exposed_at,
        round(sum(page_views.engaged_seconds), 3) as engaged_seconds
    from page_views
    inner join cuts on page_views.session_key = cuts.session_key
    group by page_views.session_key, exposed_at

),

stretches as (

    select
        measured_stretches.*,
        coalesce(attention.engaged_seconds, 0) as engaged_seconds
    from measured_stretches
    left join attention
        on
            measured_stretches.session_key = attention.session_key
            and measured_stretches.exposed_at is not distinct from attention.exposed_at

)

select * from stretches
