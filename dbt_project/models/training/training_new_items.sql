{{ config(materialized='table_function', parameters='as_of') }}

with catalogue as (

    {{ catalogue_as_of(ref('stg_item_descriptions'), 'as_of') }}

),

new_items as (

    select
        item_id,
        title,
        category,
        tags,
        features,
        price,
        currency,
        language,
        published_at
    from catalogue
    where published_at > as_of

)

select * from new_items
