{#- The catalogue as affinities read it. A changed category, tag or price queues everybody who met the item. -#}
{{ config(materialized='incremental', incremental_strategy='replace_items') }}

select
    item_id,
    category,
    tags,
    price
from {{ ref('stg_items') }}
