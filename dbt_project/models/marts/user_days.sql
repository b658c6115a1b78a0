{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with sessions as (

    select * from {{ rows_to_rebuild(ref('sessions'), 'user_id') }} as sessions
    where {{ counts_in_marts() }}

),

user_days as (

    select
        user_id,
        {{ site_date('started_at') }} as date,
        count(*) as sessions,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(recommendation_clicks) as bigint) as recommendation_clicks,
        cast(sum(add_to_carts) as bigint) as add_to_carts,
        cast(sum(checkouts) as bigint) as checkouts,
        cast(sum(purchases) as bigint) as purchases,
        cast(sum(unconverted_purchases) as bigint) as unconverted_purchases,
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
    from sessions
    group by user_id, {{ site_date('started_at') }}

)

select * from user_days
