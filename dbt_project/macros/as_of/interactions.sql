{# What people with consent to personalization did with items, at the moment `as_of`; one row per person and item. The
   other arguments name relations with the columns of the models of these names. #}

{% macro interactions_as_of(user_items, user_totals, as_of) -%}
with consenting_users as (

    select user_id from {{ user_totals }}
    where has_personalization_consent

),

pairs as (

    select
        user_id,
        item_id,
        {{ rounded('strength * ' ~ decay(days_between('last_at', as_of), var('interaction_half_life_days')), 6) }} as strength,
        first_at,
        last_at,
        events,
        sessions,
        views,
        clicks,
        impressions,
        likes,
        dislikes,
        add_to_carts,
        purchases,
        revenue,
        engaged_seconds,
        rating,
        dislikes > 0 or impressions = events as is_negative
    from {{ user_items }}
    where user_id in (select user_id from consenting_users)

)

select * from pairs
{%- endmacro %}
