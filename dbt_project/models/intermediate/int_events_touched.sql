{#- The events of the sessions that some model has still to rebuild; empty where everything is built in full. Only the
    parts that hold such events are read. -#}
{{ config(materialized='table') }}
{%- set paths = paths_of(
    "select distinct activity.part_path from " ~ ref('int_activity_bucketed') ~ " as activity inner join "
    ~ ref('int_sessions_touched') ~ " as sessions on activity.bucket = sessions.bucket and activity.device_id = sessions.device_id"
    ~ " order by 1"
) -%}

{{ joined_to_sessions(ref('int_sessions_touched'), events_of_parts(paths)) }}
-- depends_on: {{ ref('int_activity_bucketed') }}
