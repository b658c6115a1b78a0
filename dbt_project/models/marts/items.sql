with clock as (

    select max(last_at) as as_of from {{ ref('int_activity_bucketed') }}

),

activity as (

    select
        item_id,
        sum(views) as views,
        count(distinct person_id) as users,
        sum(carts) as add_to_carts,
        sum(purchases) as purchases,
        sum(clicks) as clicks,
        sum(impressions) as impressions,
        min(first_at) as first_seen_at,
        sum(views) filter (where {{ seconds_between('last_at', 'clock.as_of') }} <= 3600) as popularity_1h,
        sum(views) filter (where {{ seconds_between('last_at', 'clock.as_of') }} <= 86400) as popularity_1d,
        sum(views) filter (where {{ seconds_between('last_at', 'clock.as_of') }} <= 7 * 86400) as popularity_7d,
        sum(views * pow(0.5, {{ seconds_between('last_at', 'clock.as_of') }} / 3600 / {{ var('trend_half_life_hours') }})) as trend_score
    from {{ ref('int_interactions_weighted') }}
    cross join clock
    group by item_id

),

catalogue as (

    select * from {{ ref('stg_items') }}

)

select
    coalesce(catalogue.item_id, activity.item_id) as item_id,
    catalogue.title,
    catalogue.category,
    catalogue.tags,
    catalogue.price,
    catalogue.currency,
    catalogue.language,
    catalogue.features,
    coalesce(catalogue.published_at, activity.first_seen_at) as published_at,
    {{ seconds_between('coalesce(catalogue.published_at, activity.first_seen_at)', 'clock.as_of') }} / 86400 as age_days,
    coalesce(activity.views, 0) as views,
    coalesce(activity.users, 0) as users,
    coalesce(activity.clicks, 0) as clicks,
    coalesce(activity.impressions, 0) as impressions,
    coalesce(activity.purchases, 0) as purchases,
    coalesce(activity.popularity_1h, 0) as popularity_1h,
    coalesce(activity.popularity_1d, 0) as popularity_1d,
    coalesce(activity.popularity_7d, 0) as popularity_7d,
    coalesce(activity.views, 0) as popularity_all,
    coalesce(activity.trend_score, 0) as trend_score,
    (coalesce(activity.purchases, 0) + {{ var('conversion_prior_rate') }} * {{ var('conversion_prior_views') }}) / (coalesce(activity.views, 0) + {{ var('conversion_prior_views') }}) as conversion_rate
from catalogue
full join activity on catalogue.item_id = activity.item_id
cross join clock
