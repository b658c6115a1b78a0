{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with sessions as (

    select
        *,
        row(ended_at, session_id) as moment
    from {{ ref('sessions') }}
    where
        {{ counts_in_marts() }}
        {% if not rebuilds_all('user_totals', 'users') %}
        and user_id in {{ queued('users', 'user_id') }}
        {% endif %}

)

select
    user_id,
    bool_or(is_known) as is_known,
    min(started_at) as first_seen_at,
    max(ended_at) as last_seen_at,
    count(*) as sessions,
    count(distinct cast(started_at as date)) as active_days,
    count(distinct device_id) as devices,
    sum(events) as events,
    {% for name in measure_names() if name != 'revenue' -%}
    sum({{ name }}) as {{ name }},
    {% endfor -%}
    round(sum(revenue), 6) as revenue,
    sum(recommendation_impressions) as recommendation_impressions,
    round(sum(engaged_seconds), 3) as engaged_seconds,
    round(sum(duration_seconds), 3) as session_seconds_total,
    count(case when is_bounce then 1 end) as bounces,
    count(case when is_converted then 1 end) as converted_sessions,
    sum(hovers) as hovers,
    sum(scrolls) as scrolls,
    round(avg(scroll_depth), 6) as mean_scroll_depth,
    sum(rage_clicks) as rage_clicks,
    sum(dead_clicks) as dead_clicks,
    [
        {% for hour in range(24) -%}
        count(case when local_hour = {{ hour }} then 1 end){{ ',' if not loop.last }}
        {% endfor -%}
    ] as sessions_by_local_hour,
    {% for daypart in var('dayparts') -%}
    sum(case when daypart = '{{ daypart }}' then page_views else 0 end) as page_views_{{ daypart }},
    count(case when daypart = '{{ daypart }}' then 1 end) as sessions_{{ daypart }},
    {% endfor -%}
    {% for device in ['mobile', 'tablet', 'desktop', 'tv', 'other'] -%}
    sum(case when device_type = '{{ device }}' then page_views else 0 end) as page_views_{{ device }},
    {% endfor -%}
    count(case when isodow(local_started_at) >= 6 then 1 end) as weekend_sessions,
    {% for column in ['device_type', 'language', 'timezone', 'country', 'region', 'city'] -%}
    max_by({{ column }}, case when {{ column }} is not null then moment end) as {{ column }},
    {% endfor -%}
    min_by(channel, moment) as channel,
    max_by(consents, case when consents is not null then moment end) as consents,
    max_by(personalization_decision, case when personalization_decision is not null then row(personalization_decided_at, session_id) end)
        as personalization_decision
from sessions
group by user_id
