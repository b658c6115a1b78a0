{# What each person did with each item; one row per person and item. `reactions` names a relation with the columns of
   int_interactions_weighted. The strength stands as of the last event of the pair: whoever reads it decays it further
   to the moment in question. #}

{% macro user_items_as_of(reactions) -%}
with dated_reactions as (

    select
        *,
        max(last_at) over (partition by user_id, item_id) as pair_last_at
    from {{ reactions }}

),

pairs as (

    select
        user_id,
        item_id,
        min(first_at) as first_at,
        max(last_at) as last_at,
        cast(sum(events) as bigint) as events,
        count(*) as sessions,
        cast(sum(views) as bigint) as views,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicked_impressions) as bigint) as clicked_impressions,
        cast(sum(likes) as bigint) as likes,
        cast(sum(dislikes) as bigint) as dislikes,
        cast(sum(add_to_carts) as bigint) as add_to_carts,
        cast(sum(purchases) as bigint) as purchases,
        {{ net_sum('revenue') }} as revenue,
        cast(sum(claimed_purchases) as bigint) as claimed_purchases,
        {{ net_sum('claimed_revenue') }} as claimed_revenue,
        {{ rounded('sum(engaged_seconds)', 3) }} as engaged_seconds,
        max(rating) as rating,
        {{ net_sum('strength * ' ~ decay(days_between('last_at', 'pair_last_at'), var('interaction_half_life_days'))) }}
            as strength
    from dated_reactions
    group by user_id, item_id

)

select * from pairs
{%- endmacro %}
