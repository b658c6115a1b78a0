{# What was known at a moment: sessions that had ended by then. A session still going on is not looked into. #}

{% macro sessions_until(as_of) -%}
    {{ counted_sessions('ended_at <= ' ~ as_of) }}
{%- endmacro %}

{% macro user_items_until(as_of) -%}
    (
        {{ user_items_from(
            "(select reactions.* from " ~ ref('int_interactions_weighted') ~ " as reactions inner join " ~ ref('sessions')
            ~ " as sessions on reactions.session_key = sessions.session_key where sessions.ended_at <= " ~ as_of ~ ") as reactions"
        ) }}
    )
{%- endmacro %}

{% macro page_views_until(as_of) -%}
    (
        select page_views.* from {{ ref('int_page_views') }} as page_views
        inner join {{ ref('sessions') }} as sessions on page_views.session_key = sessions.session_key
        where sessions.ended_at <= {{ as_of }}
    )
{%- endmacro %}

{% macro catalogue_until(as_of) -%}
    {#- The catalogue keeps no history of its own: what was published later is left out, the rest is as it is known now. -#}
    (select * from {{ ref('stg_items') }} where coalesce(published_at <= {{ as_of }}, true))
{%- endmacro %}

{% macro users_until(as_of) -%}
    (
        {{ users_from(
            '(' ~ user_totals_from(sessions_until(as_of)) ~ ')',
            '(' ~ user_tastes_from(user_items_until(as_of)) ~ ')',
            '(' ~ user_tags_from(user_items_until(as_of)) ~ ')',
            as_of
        ) }}
    )
{%- endmacro %}
