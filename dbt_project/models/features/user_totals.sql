{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with sessions as (

    select * from {{ ref('sessions') }}
    where
        {{ counts_in_marts() }}
        {% if not rebuilds_all('user_totals', 'users') %}
        and user_id in {{ queued('users', 'user_id') }}
        {% endif %}

),

user_totals as (

    {{ user_totals_as_of('sessions') }}

)

select * from user_totals
