with clock as (

    select max(last_at) as as_of from {{ ref('int_activity_bucketed') }}

),

sessions as (

    select * from {{ ref('sessions') }}

),

totals as (

    select
        user_id,
        bool_or(is_known) as is_known,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        count(*) as sessions,
        count(distinct cast(started_at as date)) as active_days,
        sum(events) as events,
        sum(page_views) as page_views,
        sum(engaged_seconds) as engaged_seconds,
        sum(clicks) as clicks,
        sum(purchases) as purchases,
        sum(revenue) as revenue,
        max_by(timezone, started_at) as timezone,
        max_by(device_type, started_at) as device_type,
        max_by(country, started_at) as country,
        max_by(region, started_at) as region,
        max_by(city, started_at) as city,
        max_by(language, started_at) as language,
        min_by(channel, started_at) as channel,
        max_by(has_personalization_consent, ended_at) as has_personalization_consent,
        count(*) filter (where local_hour between 6 and 11) as sessions_morning,
        count(*) filter (where local_hour between 12 and 17) as sessions_afternoon,
        count(*) filter (where local_hour between 18 and 22) as sessions_evening,
        count(*) filter (where local_hour >= 23 or local_hour < 6) as sessions_night
    from sessions
    group by user_id

),

categories as (

    select
        pairs.user_id,
        items.category,
        sum(pairs.views) as views,
        sum(pairs.strength) as strength
    from {{ ref('interactions') }} as pairs
    inner join {{ ref('stg_items') }} as items on pairs.item_id = items.item_id
    where items.category is not null and not pairs.is_negative
    group by pairs.user_id, items.category

),

affinities as (

    select
        user_id,
        max_by(category, strength) as top_category,
        map_from_entries(list({'key': category, 'value': round(strength / total, 6)} order by category)) as category_affinities,
        map_from_entries(list({'key': category, 'value': round(coalesce(views / nullif(all_views, 0), 0), 6)} order by category)) as category_shares
    from (select *, sum(strength) over (partition by user_id) as total, sum(views) over (partition by user_id) as all_views from categories where strength > 0) as shares
    group by user_id

)

select
    totals.* exclude (sessions_morning, sessions_afternoon, sessions_evening, sessions_night),
    date_diff('day', totals.first_seen_at, clock.as_of) as tenure_days,
    {{ seconds_between('totals.last_seen_at', 'clock.as_of') }} / 86400 as recency_days,
    totals.sessions / greatest(date_diff('day', totals.first_seen_at, clock.as_of), 1) as frequency,
    totals.revenue as monetary,
    case
        when date_diff('day', totals.last_seen_at, clock.as_of) >= {{ var('inactive_days') }} then 'inactive'
        when date_diff('day', totals.first_seen_at, clock.as_of) < {{ var('new_days') }} then 'new'
        when totals.active_days / greatest(date_diff('day', totals.first_seen_at, clock.as_of), 1) >= {{ var('frequent_active_share') }} then 'frequent'
        else 'occasional'
    end as engagement_class,
    case
        when totals.sessions < {{ var('daypart_min_sessions') }} then 'none'
        when sessions_morning >= greatest(sessions_afternoon, sessions_evening, sessions_night) then 'morning'
        when sessions_afternoon >= greatest(sessions_evening, sessions_night) then 'afternoon'
        when sessions_evening >= sessions_night then 'evening'
        else 'night'
    end as daypart,
    affinities.top_category,
    affinities.category_affinities,
    affinities.category_shares
from totals
cross join clock
left join affinities on totals.user_id = affinities.user_id
