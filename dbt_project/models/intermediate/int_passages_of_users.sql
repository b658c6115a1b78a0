{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'funnel_users', 'keys': ['user_id']}
) }}

with steps as (

    select * from {{ rows_to_rebuild(ref('int_funnel_steps'), 'user_id') }} as steps

),

funnel_steps as (

    select * from {{ ref('funnel_steps') }}

),

passages as (

    {{ funnel_passages('steps', 'funnel_steps', 'user') }}

)

select * from passages
