{#- A session belongs to the day in which it began, counted from the exposure. The session of the exposure is cut at it. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with control_events as (

    select * from {{ rows_to_rebuild(ref('int_control_events'), 'user_id') }} as control_events
    where {{ counts_in_marts() }}

),

sessions as (

    select * from {{ rows_to_rebuild(ref('sessions'), 'user_id') }} as sessions
    where {{ counts_in_marts() }}

),

exposed_stretches as (

    select * from {{ rows_to_rebuild(ref('exposed_stretches'), 'user_id') }} as exposed_stretches

),

cut_sessions as (

    select distinct session_key from {{ ref('exposed_stretches') }}

),

exposed_users as (

    select
        experiment_id,
        user_id,
        min(occurred_at) as first_exposed_at
    from control_events
    where event_type = 'exposure' and experiment_id is not null
    group by experiment_id, user_id

),

stretches as (

    select
        user_id,
        started_at,
        1 as sessions,
        page_views,
        impressions,
        clicks,
        recommendation_clicks,
        add_to_carts,
        checkouts,
        purchases,
        revenue,
        signups,
        subscribes,
        likes,
        bookmarks,
        shares,
        comments,
        dislikes,
        searches,
        form_starts,
        form_submits,
        video_plays,
        engaged_seconds
    from sessions
    where session_key not in (select session_key from cut_sessions)
    union all
    select
        user_id,
        coalesce(exposed_at, started_at) as started_at,
        case
            when exposed_at is null or exposed_at = min(started_at) over (partition by session_key) then 1
            else 0
        end as sessions,
        page_views,
        impressions,
        clicks,
        recommendation_clicks,
        add_to_carts,
        checkouts,
        purchases,
        revenue,
        signups,
        subscribes,
        likes,
        bookmarks,
        shares,
        comments,
        dislikes,
        searches,
        form_starts,
        form_submits,
        video_plays,
        engaged_seconds
    from exposed_stretches

),

dated_stretches as (

    select
        exposed_users.experiment_id,
        stretches.*,
        cast(floor({{ days_between('exposed_users.first_exposed_at', 'stretches.started_at') }}) as integer) as day
    from exposed_users
    inner join stretches on exposed_users.user_id = stretches.user_id

),

outcomes as (

    select
        experiment_id,
        user_id,
        day,
        cast(sum(sessions) as bigint) as sessions,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(recommendation_clicks) as bigint) as recommendation_clicks,
        cast(sum(add_to_carts) as bigint) as add_to_carts,
        cast(sum(checkouts) as bigint) as checkouts,
        cast(sum(purchases) as bigint) as purchases,
        cast(sum(signups) as bigint) as signups,
        cast(sum(subscribes) as bigint) as subscribes,
        cast(sum(likes) as bigint) as likes,
        cast(sum(bookmarks) as bigint) as bookmarks,
        cast(sum(shares) as bigint) as shares,
        cast(sum(comments) as bigint) as comments,
        cast(sum(dislikes) as bigint) as dislikes,
        cast(sum(searches) as bigint) as searches,
        cast(sum(form_starts) as bigint) as form_starts,
        cast(sum(form_submits) as bigint) as form_submits,
        cast(sum(video_plays) as bigint) as video_plays,
        {{ net_sum('revenue') }} as revenue,
        {{ rounded('sum(engaged_seconds)', 3) }} as engaged_seconds
    from dated_stretches
    where day between {{ var('outcome_first_day') }} and {{ var('outcome_last_day') }}
    group by experiment_id, user_id, day

)

select * from outcomes
