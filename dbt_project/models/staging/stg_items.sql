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
        {{ utc('updated_at') }} as updated_at,

        row_number() over (
            partition by item_id order by updated_at desc nulls last, title nulls last, category nulls last, price nulls last, text nulls last
        ) as age_rank

    from source

)

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
    published_at,
    updated_at
from renamed
where age_rank = 1
