{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'tastes', 'keys': ['user_id']}
) }}

{{ user_tags_from(rows_to_rebuild(ref('user_items'), 'tastes', 'user_id')) }}
