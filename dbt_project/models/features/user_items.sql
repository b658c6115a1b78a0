{#- Strength stands as of the pair's own last event; a view moves it to the moment that is asked for. -#}
{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    pre_hook="{{ enqueue_everything('tastes') }}",
    meta={'reads_queue': 'pairs', 'keys': ['user_id', 'item_id'], 'queues': {'tastes': 'user_id'}}
) }}

{{ user_items_from(rows_to_rebuild(ref('int_interactions_weighted'), 'pairs', 'user_id, item_id') ~ ' as reactions') }}
