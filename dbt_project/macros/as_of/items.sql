{# What is known of each item at the moment `as_of`; one row per item of the catalogue or of the log. The other arguments
   name relations with the columns of stg_items, user_items and page_views. #}

{% macro items_as_of(catalogue, user_items, page_views, as_of) -%}
{%- set conversion_rate -%}
    (coalesce(items.purchases, 0) + cast({{ var('conversion_prior_rate') * var('conversion_prior_views') }} as double))
    / (coalesce(items.occasions, 0) + cast({{ var('conversion_prior_views') }} as double))
{%- endset -%}
with totals as (

    select
        item_id,
        cast(sum(views) as bigint) as views,
        count(case when views > 0 then 1 end) as users,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicked_impressions) as bigint) as clicked_impressions,
        cast(sum(greatest(views, purchases)) as bigint) as occasions,
        cast(sum(likes) as bigint) as likes,
        cast(sum(dislikes) as bigint) as dislikes,
        cast(sum(add_to_carts) as bigint) as add_to_carts,
        cast(sum(purchases) as bigint) as purchases,
        {{ net_sum('revenue') }} as revenue,
        cast(sum(claimed_purchases) as bigint) as claimed_purchases,
        {{ net_sum('claimed_revenue') }} as claimed_revenue,
        cast(sum(least(views, {{ var('popularity_views_per_person') }})) as bigint) as capped_views,
        {{ rounded('sum(engaged_seconds)', 3) }} as engaged_seconds,
        {{ rounded('avg(rating)', 6) }} as mean_rating,
        min(first_at) as first_seen_at
    from {{ user_items }}
    group by item_id

),

recent_views as (

    select
        item_id,
        user_id,
        {{ seconds_between('viewed_at', as_of) }} / 3600 as hours_ago
    from {{ page_views }}
    where item_id is not null and viewed_at > {{ as_of }} - interval 7 day

),

-- Nobody makes an item popular alone: a person's views count up to a cap.
recent_views_of_people as (

    select
        item_id,
        least(count(case when hours_ago <= 1 then 1 end), {{ var('popularity_views_per_person') }}) as views_1h,
        least(count(case when hours_ago <= 24 then 1 end), {{ var('popularity_views_per_person') }}) as views_1d,
        least(count(*), {{ var('popularity_views_per_person') }}) as views_7d,
        least(
            {{ rounded('sum(' ~ decay('hours_ago', var('trend_half_life_hours')) ~ ')', 6) }},
            {{ var('popularity_views_per_person') }}
        ) as trend
    from recent_views
    group by item_id, user_id

),

popularity as (

    select
        item_id,
        cast(sum(views_1h) as bigint) as popularity_1h,
        cast(sum(views_1d) as bigint) as popularity_1d,
        cast(sum(views_7d) as bigint) as popularity_7d,
        {{ rounded('sum(trend)', 6) }} as trend_score
    from recent_views_of_people
    group by item_id

),

items_with_totals as (

    select
        coalesce(catalogue.item_id, totals.item_id) as item_id,
        {{ days_between('coalesce(catalogue.published_at, totals.first_seen_at)', as_of) }} as days_online,
        catalogue.* {{ without(['item_id']) }},
        totals.* {{ without(['item_id']) }}
    from {{ catalogue }} as catalogue
    full join totals on catalogue.item_id = totals.item_id

),

described_items as (

    select
        -- what
        items.item_id,
        items.title,
        items.category,
        items.tags,
        items.features,
        items.price,
        items.currency,
        items.site_price,
        items.language,
        items.published_at,
        {{ rounded('items.days_online', 6) }} as age_days,
        {{ rounded(decay('greatest(items.days_online, 0)', var('freshness_half_life_days')), 6) }} as freshness,

        -- how much
        coalesce(items.views, 0) as views,
        coalesce(items.users, 0) as users,
        coalesce(items.clicks, 0) as clicks,
        coalesce(items.impressions, 0) as impressions,
        coalesce(items.clicked_impressions, 0) as clicked_impressions,
        coalesce(items.likes, 0) as likes,
        coalesce(items.dislikes, 0) as dislikes,
        coalesce(items.add_to_carts, 0) as add_to_carts,
        coalesce(items.purchases, 0) as purchases,
        coalesce(items.revenue, 0) as revenue,
        coalesce(items.claimed_purchases, 0) as claimed_purchases,
        coalesce(items.claimed_revenue, 0) as claimed_revenue,
        case when items.item_id is null then 0 else items.engaged_seconds end as engaged_seconds,
        items.mean_rating,

        -- popularity
        coalesce(popularity.popularity_1h, 0) as popularity_1h,
        coalesce(popularity.popularity_1d, 0) as popularity_1d,
        coalesce(popularity.popularity_7d, 0) as popularity_7d,
        coalesce(items.capped_views, 0) as popularity_all,
        coalesce(popularity.trend_score, 0) as trend_score,

        -- rates; the conversion rate is shrunk towards the prior of the settings, and what was bought was looked at
        {{ rounded(conversion_rate, 6) }} as conversion_rate,
        {{ ratio('items.clicked_impressions', 'items.impressions') }} as click_through_rate
    from items_with_totals as items
    left join popularity on items.item_id = popularity.item_id

)

select * from described_items
{%- endmacro %}
