{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with pairs as (

    select
        pairs.user_id,
        unnest(items.tags) as tag,
        pairs.strength * {{ decay(days_between('pairs.last_at', 'max(pairs.last_at) over (partition by pairs.user_id)'), var('interaction_half_life_days')) }} as strength
    from {{ ref('user_items') }} as pairs
    inner join {{ ref('item_topics') }} as items on pairs.item_id = items.item_id
    where
        pairs.strength > 0
        {% if not rebuilds_all('user_tags', 'users') %}
        and pairs.user_id in {{ queued('users', 'user_id') }}
        {% endif %}

),

tags as (

    select
        user_id,
        tag,
        round(sum(strength), 6) as strength
    from pairs
    group by user_id, tag

),

ranked as (

    select
        *,
        sum(strength) over (partition by user_id) as total,
        row_number() over (partition by user_id order by strength desc, tag) as tag_rank
    from tags

)

select
    user_id,
    {{ map_of('tag', 'round(strength / total, 6)') }} as tag_affinities
from ranked
where tag_rank <= {{ var('affinity_tags') }} and total > 0
group by user_id
