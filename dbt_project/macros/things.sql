{# The SQL of items and of what people did with them, written once for the marts and the training frames. #}

{% macro items_from(catalogue, user_items, page_views, as_of) %}
with catalogue as (

    select * from {{ catalogue }} as stg_items

),

totals as (

    select
        item_id,
        cast(sum(views) as bigint) as views,
        count(case when views > 0 then 1 end) as users,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(likes) as bigint) as likes,
        cast(sum(dislikes) as bigint) as dislikes,
        cast(sum(add_to_carts) as bigint) as add_to_carts,
        cast(sum(purchases) as bigint) as purchases,
        {{ net_sum('revenue') }} as revenue,
        round(sum(engaged_seconds), 3) as engaged_seconds,
        round(avg(rating), 6) as mean_rating,
        min(first_at) as first_seen_at
    from {{ user_items }} as user_items
    group by item_id

),

recent_views as (

    select
        item_id,
        {{ seconds_between('viewed_at', as_of) }} / 3600 as hours_ago
    from {{ page_views }} as page_views
    where
        item_id is not null
        and viewed_at > {{ as_of }} - interval 7 day
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
    round({{ days_between('joined.online_at', as_of) }}, 6) as age_days,
    round(pow(0.5, greatest({{ days_between('joined.online_at', as_of) }}, 0) / {{ var('freshness_half_life_days') }}), 6) as freshness,

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
{% endmacro %}

{% macro interactions_from(user_items, users, as_of) %}
with pairs as (

    select * from {{ user_items }} as user_items

),

consenting as (

    select user_id from {{ users }} as users
    where has_personalization_consent

)

select
    pairs.user_id,
    pairs.item_id,
    round(pairs.strength * {{ decay(days_between('pairs.last_at', as_of), var('interaction_half_life_days')) }}, 6) as strength,
    pairs.first_at,
    pairs.last_at,
    pairs.events,
    pairs.sessions,
    pairs.views,
    pairs.clicks,
    pairs.impressions,
    pairs.likes,
    pairs.dislikes,
    pairs.add_to_carts,
    pairs.purchases,
    pairs.revenue,
    pairs.engaged_seconds,
    pairs.rating,
    pairs.dislikes > 0 or pairs.impressions = pairs.events as is_negative
from pairs
where pairs.user_id in (select user_id from consenting)
{% endmacro %}
