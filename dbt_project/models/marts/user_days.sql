{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with sessions as (

    select * from {{ ref('sessions') }}
    where
        {{ counts_in_marts() }}
        {% if not rebuilds_all('user_days', 'users') %}
        and user_id in {{ queued('users', 'user_id') }}
        {% endif %}

)

select
    user_id,
    cast(started_at as date) as date,
    count(*) as sessions,
    {% for name in measure_names() if name != 'revenue' -%}
    cast(sum({{ name }}) as bigint) as {{ name }},
    {% endfor -%}
    {{ net_sum('revenue') }} as revenue,
    round(sum(engaged_seconds), 3) as engaged_seconds
from sessions
group by user_id, cast(started_at as date)
