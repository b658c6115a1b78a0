{#- A view: the sums by part are few, and only monitoring asks for them. -#}
{{ config(materialized='view') }}

with event_hours as (

    select
        hour,
        event_type,
        dimension,
        slice,
        cast(sum(events) as bigint) as events,
        cast(sum(devices) as bigint) as devices,
        {{ sums_of_watched_fields() }}
    from {{ ref('int_event_hours') }}
    where hour > {{ watch_begins() }}
    group by hour, event_type, dimension, slice

)

select * from event_hours
