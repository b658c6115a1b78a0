{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

{% set sessions -%}
    (
        select
            *,
            row(ended_at, session_id) as moment
        from {{ ref('sessions') }}
        where
            {{ counts_in_marts() }}
            {% if not rebuilds_all('user_totals', 'users') %}
            and user_id in {{ queued('users', 'user_id') }}
            {% endif %}
    ) as sessions
{%- endset -%}

{{ user_totals_from(sessions) }}
