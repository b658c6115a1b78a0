{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}
{%- set whole = rebuilds_all('user_totals', 'users') %}

{{ user_totals_from(counted_sessions('true' if whole else 'user_id in ' ~ queued('users', 'user_id'))) }}
