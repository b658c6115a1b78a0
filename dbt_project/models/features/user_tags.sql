{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'tastes', 'keys': ['user_id']}
) }}

{% set user_items -%}
    (
        select * from {{ ref('user_items') }}
        {% if not rebuilds_all('user_tags', 'tastes') %}
        where user_id in {{ queued('tastes', 'user_id') }}
        {% endif %}
    )
{%- endset -%}

{{ user_tags_from(user_items) }}
