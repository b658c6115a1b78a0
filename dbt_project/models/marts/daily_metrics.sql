{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'session_days', 'keys': ['date']}
) }}

with sessions as (

    select
        *,
        {{ site_date('started_at') }} as date,
        {{ counts_in_marts() }} as counts
    from {{ rows_to_rebuild(ref('sessions'), site_date('started_at')) }} as sessions

),

days as (

    select
        date,
        count(distinct user_id) filter (where counts) as active_users,
        count(distinct user_id) filter (where counts and is_known) as known_users,
        count(*) filter (where counts) as sessions,
        count(*) filter (where is_bot) as bot_sessions,
        count(*) filter (where counts and is_bounce) as bounces,
        count(*) filter (where counts and is_converted) as conversions,
        count(*) filter (where counts and coalesce(device_type, 'other') = 'other') as unknown_device_sessions,
        cast(sum(events) as bigint) as all_events,
        cast(coalesce(sum(events) filter (where counts), 0) as bigint) as events,
        cast(coalesce(sum(recommendation_impressions) filter (where counts), 0) as bigint) as recommendation_impressions,
        cast(coalesce(sum(page_views) filter (where counts), 0) as bigint) as page_views,
        cast(coalesce(sum(impressions) filter (where counts), 0) as bigint) as impressions,
        cast(coalesce(sum(clicks) filter (where counts), 0) as bigint) as clicks,
        cast(coalesce(sum(recommendation_clicks) filter (where counts), 0) as bigint) as recommendation_clicks,
        cast(coalesce(sum(clicked_impressions) filter (where counts), 0) as bigint) as clicked_impressions,
        cast(coalesce(sum(clicked_recommendations) filter (where counts), 0) as bigint) as clicked_recommendations,
        cast(coalesce(sum(add_to_carts) filter (where counts), 0) as bigint) as add_to_carts,
        cast(coalesce(sum(checkouts) filter (where counts), 0) as bigint) as checkouts,
        cast(coalesce(sum(purchases) filter (where counts), 0) as bigint) as purchases,
        cast(coalesce(sum(unconverted_purchases) filter (where counts), 0) as bigint) as unconverted_purchases,
        cast(coalesce(sum(signups) filter (where counts), 0) as bigint) as signups,
        cast(coalesce(sum(subscribes) filter (where counts), 0) as bigint) as subscribes,
        cast(coalesce(sum(likes) filter (where counts), 0) as bigint) as likes,
        cast(coalesce(sum(bookmarks) filter (where counts), 0) as bigint) as bookmarks,
        cast(coalesce(sum(shares) filter (where counts), 0) as bigint) as shares,
        cast(coalesce(sum(comments) filter (where counts), 0) as bigint) as comments,
        cast(coalesce(sum(dislikes) filter (where counts), 0) as bigint) as dislikes,
        cast(coalesce(sum(searches) filter (where counts), 0) as bigint) as searches,
        cast(coalesce(sum(form_starts) filter (where counts), 0) as bigint) as form_starts,
        cast(coalesce(sum(form_submits) filter (where counts), 0) as bigint) as form_submits,
        cast(coalesce(sum(video_plays) filter (where counts), 0) as bigint) as video_plays,
        coalesce({{ net_sum('case when counts then revenue end') }}, 0) as revenue,
        cast(coalesce(sum(claimed_purchases) filter (where counts), 0) as bigint) as claimed_purchases,
        coalesce({{ net_sum('case when counts then claimed_revenue end') }}, 0) as claimed_revenue,
        {{ rounded('sum(engaged_seconds) filter (where counts)', 3) }} as engaged_seconds,
        count(distinct user_id) filter (where counts and engaged_seconds is not null) as measured_users
    from sessions
    group by date

),

days_with_rates as (

    select
        * {{ without(['measured_users']) }},
        {{ ratio('bounces', 'sessions') }} as bounce_rate,
        {{ ratio('conversions', 'sessions') }} as conversion_rate,
        {{ ratio('clicked_impressions', 'impressions') }} as click_through_rate,
        {{ ratio('clicked_recommendations', 'recommendation_impressions') }} as recommendation_ctr,
        {{ ratio('engaged_seconds', 'measured_users') }} as engaged_seconds_per_user
    from days

)

select * from days_with_rates
