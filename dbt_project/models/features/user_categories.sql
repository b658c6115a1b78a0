{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with pairs as (

    select
        pairs.user_id,
        pairs.views,
        items.category,
        items.price,
        case when pairs.strength > 0 then pairs.strength * {{ decay(days_between('pairs.last_at', 'max(pairs.last_at) over (partition by pairs.user_id)'), var('interaction_half_life_days')) }} else 0 end as strength
    from {{ ref('user_items') }} as pairs
    inner join {{ ref('item_topics') }} as items on pairs.item_id = items.item_id
    {% if not rebuilds_all('user_categories', 'users') %}
    where pairs.user_id in {{ queued('users', 'user_id') }}
    {% endif %}

)

select
    user_id,
    category,
    sum(views) as views,
    round(sum(strength), 6) as strength,
    sum(case when price is not null then views end) as priced_views,
    round(sum(price * views), 6) as price_views
from pairs
group by user_id, category
