with descriptions as (

    select * from {{ ref('stg_item_descriptions') }}

),

ranked_descriptions as (

    select
        *,
        row_number() over (
            partition by item_id
            order by updated_at desc nulls last, {{ first_of_equal_descriptions() }}
        ) as age_rank
    from descriptions

),

newest_descriptions as (

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
    from ranked_descriptions
    where age_rank = 1

)

select * from newest_descriptions
