{# Events as the contract has them, from the log's rows: stg_events for all parts, and the same for some. #}

{% macro events_of(paths) -%}
with source as (

    select * from {{ read_events(source('event_log', 'events'), paths) }} as events

),

renamed as (

    select
        -- ids
        source.event_id,
        source.user_id,
        source.anonymous_id,
        coalesce(source.anonymous_id, source.user_id) as device_id,
        source.session_id as client_session_id,
        source.item_id,
        source.recommendation_id,
        source.experiment_id,
        source.variant,

        -- what happened
        source.event_type,
        source.value,
        source.properties,

        -- where on the site
        source.page_url,
        source.page_title,
        source.referrer,
        coalesce(source.page_url, source.item_id, '') as page_key,

        -- context
        source.device_type,
        source.os,
        source.browser,
        source.screen_width,
        source.screen_height,
        source.language,
        source.timezone,
        source.country,
        source.region,
        source.city,
        source.network_type,
        source.consent,
        source.source,

        -- when, in UTC
        {{ utc('source.occurred_at') }} as occurred_at,
        {{ utc('source.received_at') }} as received_at,
        {{ epoch_bucket('source.occurred_at', var('bucket_seconds')) }} as bucket,
        {{ bucket_key('source.user_id', 'source.anonymous_id', epoch_bucket('source.occurred_at', var('bucket_seconds'))) }} as bucket_key,

        -- which row of the log
        source.part_path,
        source.part_row

    from source
    where not exists (
        select 1 from {{ ref('stg_event_repeats') }} as repeats
        where repeats.part_path = source.part_path and repeats.part_row = source.part_row
    )

)

select * from renamed
{%- endmacro %}

{% macro events_of_parts(paths) -%}
    {#- stg_events of these parts alone. They are read by their names: behind a filter by part_path DuckDB expects a single
        row, and keeps all these events in memory to find the few repeats among them. -#}
    (
        {{ events_of(paths) }}
    )
{%- endmacro %}
