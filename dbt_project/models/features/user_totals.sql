{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}

with sessions as (

    select * from {{ rows_to_rebuild(ref('sessions'), 'user_id') }} as sessions

),

user_totals as (

    {{ user_totals_as_of('sessions') }}

)

select * from user_totals
