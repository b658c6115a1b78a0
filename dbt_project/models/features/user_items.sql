{#- Strength stands as of the pair's own last event; a view moves it to the moment that is asked for. -#}
{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    pre_hook="{{ enqueue_everything('tastes') }}",
    meta={'reads_queue': 'pairs', 'keys': ['user_id', 'item_id'], 'queues': {'tastes': 'user_id'}}
) }}

{% set reactions -%}
    (
        select * from {{ ref('int_interactions_weighted') }}
        {% if not rebuilds_all('user_items', 'pairs') %}
        where (user_id, item_id) in {{ queued('pairs', 'user_id, item_id') }}
        {% endif %}
    ) as reactions
{%- endset -%}

{{ user_items_from(reactions) }}
