{#- What the tastes of people read of the catalogue. When the category, the tags or the price of an item changes, everybody
    who met the item is queued. -#}
{{ config(materialized=incremental_or_table(), incremental_strategy='replace_items') }}

with catalogue as (

    select * from {{ ref('stg_items') }}

),

item_topics as (

    select
        item_id,
        category,
        tags,
        price,
        site_price
    from catalogue

)

select * from item_topics
