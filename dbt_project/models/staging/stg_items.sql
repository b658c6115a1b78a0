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

),

ranked_snapshots as (

    select
        *,
        row_number() over (
            partition by item_id
            order by
                updated_at desc nulls last,
                title asc nulls last, category asc nulls last, price asc nulls last, text asc nulls last
        ) as snapshot_rank
    from renamed

),

newest_snapshots as (

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
    from ranked_snapshots
    where snapshot_rank = 1

)

select * from newest_snapshots
