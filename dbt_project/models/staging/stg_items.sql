with source as (

    select * from {{ read_items(source('catalogue', 'items')) }} as items

),

renamed as (

    select
        item_id,
        title,
        text,
        category,
        tags,
        price,
        currency,
        language,
        features,
        {{ utc('published_at') }} as published_at,
        {{ utc('updated_at') }} as updated_at
    from source

)

select * from renamed
qualify row_number() over (partition by item_id order by updated_at desc, title, text, category, price) = 1
