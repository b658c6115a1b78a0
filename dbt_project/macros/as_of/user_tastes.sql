{# Each person's categories and price level; one row per person. `user_items` and `item_topics` name relations with the
   columns of the models of these names. #}

{% macro user_tastes_as_of(user_items, item_topics) -%}
with pairs as (

    select
        user_items.user_id,
        user_items.views,
        user_items.strength,
        user_items.last_at,
        item_topics.category,
        item_topics.price,
        item_topics.site_price,
        max(user_items.last_at) over (partition by user_items.user_id) as person_last_at
    from {{ user_items }} as user_items
    inner join {{ item_topics }} as item_topics on user_items.item_id = item_topics.item_id

),

decayed_pairs as (

    select
        user_id,
        category,
        price,
        site_price,
        views,
        case
            when strength > 0
                then strength * {{ decay(days_between('last_at', 'person_last_at'), var('interaction_half_life_days')) }}
            else 0
        end as strength
    from pairs

),

categories as (

    select
        user_id,
        category,
        cast(sum(views) as bigint) as views,
        {{ rounded('sum(strength)', 6) }} as strength,
        cast(coalesce(sum(case when price is not null then views end), 0) as bigint) as product_views,
        sum(case when site_price is not null then views end) as priced_views,
        {{ rounded('sum(site_price * views)', 6) }} as price_views
    from decayed_pairs
    group by user_id, category

),

categories_with_totals as (

    select
        *,
        sum(strength) over (partition by user_id) as total_strength,
        sum(views) over (partition by user_id) as total_views
    from categories

),

tastes as (

    select
        user_id,
        {{ latest('category', 'case when strength > 0 then ' ~ pair_of('strength', 'category') ~ ' end') }} as top_category,
        {{ map_of('category', rounded('strength / total_strength', 6), 'category is not null and strength > 0') }}
            as category_affinities,
        {{ map_of('category', rounded('views / total_views', 6), 'category is not null and views > 0') }} as category_shares,
        {{ rounded('-sum(case when strength > 0 then strength / total_strength * ln(strength / total_strength) else 0 end)', 6) }}
            as category_entropy,
        {{ rounded('sum(price_views) / nullif(sum(priced_views), 0)', 6) }} as mean_price_viewed,
        cast(sum(product_views) as bigint) as product_views
    from categories_with_totals
    group by user_id

)

select * from tastes
{%- endmacro %}
