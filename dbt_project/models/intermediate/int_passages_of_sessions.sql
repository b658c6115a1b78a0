{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

{{ passages_from(rows_to_rebuild(ref('int_funnel_steps'), 'sessions', 'session_key'), 'session') }}
