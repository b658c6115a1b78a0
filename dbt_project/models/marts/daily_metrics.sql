with sessions as (

    select * from {{ ref('sessions') }}

)

select
    cast(started_at as date) as date,
    count(distinct user_id) as active_users,
    count(*) as sessions,
    sum(events) as events,
    sum(page_views) as page_views,
    sum(engaged_seconds) as engaged_seconds,
    sum(clicks) as clicks,
    sum(impressions) as impressions,
    sum(purchases) as purchases,
    sum(revenue) as revenue,
    avg(case when is_bounce then 1.0 else 0.0 end) as bounce_rate,
    avg(case when is_converted then 1.0 else 0.0 end) as conversion_rate
from sessions
group by date
