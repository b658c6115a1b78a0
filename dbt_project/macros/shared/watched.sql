{# What monitoring watches: fields that trackers may lose, and how far it looks back. #}

{% macro watched_fields() -%}
    {{ return([
        'user_id', 'anonymous_id', 'client_session_id', 'item_id', 'recommendation_id', 'value', 'page_url', 'page_title',
        'referrer', 'device_type', 'os', 'browser', 'screen_width', 'language', 'timezone', 'country', 'network_type'
    ]) }}
{%- endmacro %}

{% macro counts_of_watched_fields() -%}
    {% for field in watched_fields() -%}
    count({{ field }}) as with_{{ field }}{{ ',' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{% macro sums_of_watched_fields() -%}
    {% for field in watched_fields() -%}
    cast(sum(with_{{ field }}) as bigint) as with_{{ field }}{{ ',' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{% macro watch_begins() -%}
    {#- The first moment that is watched, UTC; null without events. -#}
    (select max(hour) - interval '{{ var('watched_days') }}' day from {{ ref('int_event_hours') }})
{%- endmacro %}

{% macro audience_of(user_id) -%}
    {#- Visitors who are known are no passers-by: a campaign day brings few of them, so their habits hold still. -#}
    case when {{ user_id }} is null then 'anonymous' else 'known' end
{%- endmacro %}
