{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'pairs', 'keys': ['user_id', 'item_id'], 'fills_queues': {'tastes': 'user_id'}}
) }}

with reactions as (

    select * from {{ rows_to_rebuild(ref('int_interactions_weighted'), 'user_id, item_id') }} as reactions

),

user_items as (

    {{ user_items_as_of('reactions') }}

)

select * from user_items
