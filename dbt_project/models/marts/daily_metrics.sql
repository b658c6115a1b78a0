{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'session_days', 'keys': ['date']}
) }}

with sessions as (

    select
        *,
        cast(started_at as date) as date
    from {{ ref('sessions') }}
    {% if not rebuilds_all('daily_metrics', 'session_days') %}
    where cast(started_at as date) in {{ queued('session_days', 'date') }}
    {% endif %}

),

days as (

    select
        date,
        count(distinct case when {{ counts_in_marts() }} then user_id end) as active_users,
        count(distinct case when is_known and {{ counts_in_marts() }} then user_id end) as known_users,
        count(case when {{ counts_in_marts() }} then 1 end) as sessions,
        count(case when is_bot then 1 end) as bot_sessions,
        count(case when is_bounce and {{ counts_in_marts() }} then 1 end) as bounces,
        count(case when is_converted and {{ counts_in_marts() }} then 1 end) as conversions,
        count(case when coalesce(device_type, 'other') = 'other' and {{ counts_in_marts() }} then 1 end)
            as unknown_device_sessions,
        cast(sum(events) as bigint) as all_events,
        {% for name in ['events', 'recommendation_impressions'] + measure_names() if name != 'revenue' -%}
        cast(coalesce(sum(case when {{ counts_in_marts() }} then {{ name }} end), 0) as bigint) as {{ name }},
        {% endfor -%}
        coalesce({{ net_sum('case when ' ~ counts_in_marts() ~ ' then revenue end') }}, 0) as revenue,
        round(coalesce(sum(case when {{ counts_in_marts() }} then engaged_seconds end), 0), 3) as engaged_seconds
    from sessions
    group by date

)

select
    *,
    round(bounces / nullif(sessions, 0), 6) as bounce_rate,
    round(conversions / nullif(sessions, 0), 6) as conversion_rate,
    round(clicks / nullif(impressions, 0), 6) as click_through_rate,
    round(recommendation_clicks / nullif(recommendation_impressions, 0), 6) as recommendation_ctr,
    round(engaged_seconds / nullif(active_users, 0), 6) as engaged_seconds_per_user
from days
