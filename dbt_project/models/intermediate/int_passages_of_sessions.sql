{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with steps as (

    select * from {{ rows_to_rebuild(ref('int_funnel_steps'), 'session_key') }} as steps

),

passages as (

    {{ funnel_passages('steps', 'session') }}

)

select * from passages
