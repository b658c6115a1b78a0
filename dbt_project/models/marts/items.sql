with catalogue as (

    select * from {{ ref('stg_items') }}

),

totals as (

    select
        item_id,
        sum(views) as views,
        count(case when views > 0 then 1 end) as users,
        sum(clicks) as clicks,
        sum(impressions) as impressions,
        sum(likes) as likes,
        sum(dislikes) as dislikes,
        sum(add_to_carts) as add_to_carts,
        sum(purchases) as purchases,
        round(sum(revenue), 6) as revenue,
        round(sum(engaged_seconds), 3) as engaged_seconds,
        round(avg(rating), 6) as mean_rating,
        min(first_at) as first_seen_at
    from {{ ref('user_items') }}
    group by item_id

),

recent_views as (

    select
        item_id,
        {{ seconds_between('viewed_at', as_of()) }} / 3600 as hours_ago
    from {{ ref('int_page_views') }}
    where
        item_id is not null
        and viewed_at > {{ as_of() }} - interval 7 day
        and {{ counts_in_marts() }}

),

recent as (

    select
        item_id,
        count(case when hours_ago <= 1 then 1 end) as popularity_1h,
        count(case when hours_ago <= 24 then 1 end) as popularity_1d,
        count(*) as popularity_7d,
        round(sum(pow(0.5, hours_ago / {{ var('trend_half_life_hours') }})), 6) as trend_score
    from recent_views
    group by item_id

),

joined as (

    select
        coalesce(catalogue.item_id, totals.item_id) as item_id,
        coalesce(catalogue.published_at, totals.first_seen_at) as online_at,
        catalogue.* exclude (item_id),
        totals.* exclude (item_id)
    from catalogue
    full join totals on catalogue.item_id = totals.item_id

)

select
    -- what
    joined.item_id,
    joined.title,
    joined.category,
    joined.tags,
    joined.features,
    joined.price,
    joined.currency,
    joined.language,
    joined.published_at,
    round({{ days_between('joined.online_at', as_of()) }}, 6) as age_days,
    round(pow(0.5, greatest({{ days_between('joined.online_at', as_of()) }}, 0) / {{ var('freshness_half_life_days') }}), 6) as freshness,

    -- how much
    {% for name in ['views', 'users', 'clicks', 'impressions', 'likes', 'dislikes', 'add_to_carts', 'purchases'] -%}
    coalesce(joined.{{ name }}, 0) as {{ name }},
    {% endfor -%}
    coalesce(joined.revenue, 0) as revenue,
    coalesce(joined.engaged_seconds, 0) as engaged_seconds,
    joined.mean_rating,

    -- popularity
    coalesce(recent.popularity_1h, 0) as popularity_1h,
    coalesce(recent.popularity_1d, 0) as popularity_1d,
    coalesce(recent.popularity_7d, 0) as popularity_7d,
    coalesce(joined.views, 0) as popularity_all,
    coalesce(recent.trend_score, 0) as trend_score,

    -- rates, shrunk towards the prior of the settings
    round(
        (coalesce(joined.purchases, 0) + {{ var('conversion_prior_rate') * var('conversion_prior_views') }})
        / (coalesce(joined.views, 0) + {{ var('conversion_prior_views') }}), 6
    ) as conversion_rate,
    round(joined.clicks / nullif(joined.impressions, 0), 6) as click_through_rate
from joined
left join recent on joined.item_id = recent.item_id
