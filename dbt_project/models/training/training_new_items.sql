{{ config(materialized='table_function', parameters='as_of') }}

with catalogue as (

    {{ catalogue_as_of(ref('stg_item_descriptions'), frame_moment()) }}

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
    where published_at > {{ frame_moment() }}

)

select * from new_items
