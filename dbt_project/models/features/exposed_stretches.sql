{#- A session with exposures is cut at each of them, so that what came before an exposure is kept apart from what came after. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with control_events as (

    select * from {{ rows_to_rebuild(ref('int_control_events'), 'session_key') }} as control_events

),

events as (

    select * from {{ session_events() }} as events

),

repeats as (

    select event_id from {{ rows_to_rebuild(ref('int_view_repeats'), 'session_key') }} as repeats

),

attention_sources as (

    select * from {{ attention_sources() }} as sources

),

attention as (

    select
        session_key,
        viewed_at as looked_at,
        engaged_seconds
    from {{ ref('int_page_views') }}
    union all
    select
        session_key,
        first_at as looked_at,
        engaged_seconds
    from {{ ref('int_page_engagement') }}
    where path_position is null

),

cuts as (

    select
        session_key,
        {{ distinct_list('occurred_at') }} as cut_at
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
        events.amount,
        events.recommendation_id,
        events.authority,
        attention_sources.source is not null as reports_attention,
        {{ last_until('cuts.cut_at', 'events.occurred_at') }} as exposed_at
    from events
    inner join cuts on events.session_key = cuts.session_key
    left join attention_sources on coalesce(events.source, '') = attention_sources.source
    where
        events.event_type not in ('page_ping', 'page_exit', 'scroll', 'hover', 'cursor', 'video_progress', 'served')
        and events.event_id not in (select event_id from repeats)

),

measured_stretches as (

    select
        session_key,
        person_id as user_id,
        exposed_at,
        min(occurred_at) as started_at,
        bool_or(reports_attention) as reports_attention,
        {{ measures() }}
    from cut_events
    group by session_key, person_id, exposed_at

),

attention_of_stretches as (

    select
        attention.session_key,
        {{ last_until('cuts.cut_at', 'attention.looked_at') }} as exposed_at,
        {{ rounded('sum(attention.engaged_seconds)', 3) }} as engaged_seconds
    from attention
    inner join cuts on attention.session_key = cuts.session_key
    group by attention.session_key, exposed_at

),

stretches as (

    select
        measured_stretches.* {{ without(['reports_attention']) }},
        coalesce(
            attention.engaged_seconds, case when measured_stretches.reports_attention then 0 end
        ) as engaged_seconds
    from measured_stretches
    left join attention_of_stretches as attention
        on
            measured_stretches.session_key = attention.session_key
            and measured_stretches.exposed_at is not distinct from attention.exposed_at

)

select * from stretches
