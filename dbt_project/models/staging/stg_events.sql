with source as (

    select * from {{ read_events(source('event_log', 'events')) }} as events

),

renamed as (

    select
        -- ids
        event_id,
        user_id,
        anonymous_id,
        session_id as client_session_id,
        item_id,
        recommendation_id,
        experiment_id,
        variant,

        -- what happened
        event_type,
        value,
        properties,

        -- where
        page_url,
        page_title,
        referrer,
        coalesce(page_url, item_id, '') as page_key,

        -- context
        device_type,
        os,
        browser,
        screen_width,
        screen_height,
        language,
        timezone,
        country,
        region,
        city,
        network_type,
        consent,
        source,

        -- when
        {{ utc('occurred_at') }} as occurred_at,
        {{ utc('received_at') }} as received_at

    from source

)

select * from renamed
{% if var('deduplicate', true) %}
qualify row_number() over (partition by event_id order by received_at, occurred_at, event_type, properties) = 1
{% endif %}
