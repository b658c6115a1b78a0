{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'funnel_users', 'keys': ['user_id']}
) }}

{{ passages_from(rows_to_rebuild(ref('int_funnel_steps'), 'funnel_users', 'user_id'), 'user') }}
