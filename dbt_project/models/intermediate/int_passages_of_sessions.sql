{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'funnel_sessions', 'keys': ['session_key']}
) }}

with steps as (

    select * from {{ rows_to_rebuild(ref('int_funnel_steps'), 'session_key') }} as steps

),

funnel_steps as (

    select * from {{ ref('funnel_steps') }}

),

passages as (

    {{ funnel_passages('steps', 'funnel_steps', 'session') }}

)

select * from passages
