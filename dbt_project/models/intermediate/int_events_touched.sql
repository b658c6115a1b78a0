{#- The events of the sessions that some model has still to rebuild; empty where everything is built in full. Only the
    parts that hold such events are read. -#}
{{ config(materialized='table') }}
{%- set queue = "select session_key from state.queue_sessions where session_key is not null" -%}
{%- set paths = [] -%}
{%- if is_built('int_page_views') -%}
    {%- set paths = paths_of(
        "select distinct activity.part_path from " ~ ref('int_activity_bucketed') ~ " as activity inner join "
        ~ ref('int_session_buckets') ~ " as sessions on activity.bucket = sessions.bucket and activity.device_id = sessions.device_id"
        ~ " where sessions.session_key in (" ~ queue ~ ") order by 1"
    ) -%}
{%- endif %}

{% if paths %}
{{ joined_to_sessions("where sessions.session_key in (" ~ queue ~ ") and events.part_path in (" ~ text_list(paths) ~ ")") }}
{% else %}
{{ joined_to_sessions("where false") }}
{% endif %}
-- depends_on: {{ ref('int_activity_bucketed') }}
