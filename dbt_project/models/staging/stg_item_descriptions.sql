with source as (

    select * from {{ read_items(source('catalogue', 'items')) }} as items

),

renamed as (

    select
        -- ids
        item_id,

        -- description
        title,
        text,
        category,
        tags,
        price,
        currency,
        language,
        features,

        -- when, in UTC
        {{ utc('published_at') }} as published_at,
        {{ utc('updated_at') }} as updated_at

    from source

)

select * from renamed
