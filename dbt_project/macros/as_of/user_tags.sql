{# The strongest tags of each person; one row per person. `user_items` and `item_topics` name relations with the columns
   of the models of these names. #}

{% macro user_tags_as_of(user_items, item_topics) -%}
with pairs as (

    select
        user_items.user_id,
        user_items.strength,
        user_items.last_at,
        item_topics.tags,
        max(user_items.last_at) over (partition by user_items.user_id) as person_last_at
    from {{ user_items }} as user_items
    inner join {{ item_topics }} as item_topics on user_items.item_id = item_topics.item_id
    where user_items.strength > 0

),

decayed_tags as (

    select
        user_id,
        {{ each_of('tags') }} as tag,
        strength * {{ decay(days_between('last_at', 'person_last_at'), var('interaction_half_life_days')) }} as strength
    from pairs

),

tags as (

    select
        user_id,
        tag,
        {{ rounded('sum(strength)', 6) }} as strength
    from decayed_tags
    group by user_id, tag

),

ranked_tags as (

    select
        *,
        sum(strength) over (partition by user_id) as total_strength,
        row_number() over (partition by user_id order by strength desc, tag asc) as tag_rank
    from tags

),

strongest_tags as (

    select
        user_id,
        {{ map_of('tag', rounded('strength / total_strength', 6)) }} as tag_affinities
    from ranked_tags
    where tag_rank <= {{ var('affinity_tags') }} and total_strength > 0
    group by user_id

)

select * from strongest_tags
{%- endmacro %}
