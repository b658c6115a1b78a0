{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'tastes', 'keys': ['user_id']}
) }}

with user_items as (

    select * from {{ rows_to_rebuild(ref('user_items'), 'user_id') }} as user_items

),

item_topics as (

    select * from {{ ref('item_topics') }}

),

user_tags as (

    {{ user_tags_as_of('user_items', 'item_topics') }}

)

select * from user_tags
