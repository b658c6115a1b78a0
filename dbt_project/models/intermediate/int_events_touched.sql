{#- The events of the sessions that some model has still to rebuild; none where everything is built in full. Only the parts
    that hold such events are read. -#}
{{ config(materialized='table') }}
{%- set paths = values_of(
    'select distinct activity.part_path from ' ~ ref('int_activity_bucketed') ~ ' as activity'
    ~ ' inner join ' ~ ref('int_sessions_touched') ~ ' as sessions'
    ~ ' on activity.bucket = sessions.bucket and activity.device_id = coalesce(sessions.anonymous_id, sessions.user_id)'
    ~ ' order by activity.part_path'
) %}

with events as (

    select * from {{ events_of_parts(paths) }} as events

),

session_buckets as (

    select * from {{ ref('int_sessions_touched') }}

),

sessionized_events as (

    {{ events_with_sessions('events', 'session_buckets') }}

)

select * from sessionized_events
