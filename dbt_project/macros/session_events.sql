{# The events that a model which follows sessions has to read in this run. #}

{% macro joined_to_sessions(sessions, events) -%}
    select
        sessions.session_key,
        sessions.person_id,
        sessions.is_bot,
        sessions.is_internal,
        events.*
    from {{ events }} as events
    inner join {{ sessions }} as sessions
        on
            events.bucket_key = sessions.bucket_key
            and events.bucket = sessions.bucket
            and events.occurred_at >= sessions.started_at
            and (sessions.next_started_at is null or events.occurred_at < sessions.next_started_at)
{%- endmacro %}

{% macro bucket_key(user_id, anonymous_id, bucket) -%}
    {#- Who and when as one number: every model joins all events by it, and texts would be fetched from all over memory. -#}
    {{ key_of([user_id, anonymous_id, bucket]) }}
{%- endmacro %}

{% macro session_events() -%}
    {#- All events with their sessions, or, where the model only follows changes, those of the changed sessions. -#}
    {%- set everything, touched = ref('int_events_sessionized'), ref('int_events_touched') -%}
    {%- if rebuilds_all(model.name, 'sessions') -%}
        {{ everything }}
    {%- else -%}
        (select * from {{ touched }} where session_key in {{ queued('sessions', 'session_key') }})
    {%- endif -%}
{%- endmacro %}

{% macro counts_in_marts() -%}
    {#- Bots and internal traffic are flagged in `sessions` and counted nowhere else, unless a setting says so. -#}
    {%- if var('leave_out_bots') %}not is_bot{% else %}true{% endif %} and {% if var('leave_out_internal') %}not is_internal{% else %}true{% endif %}
{%- endmacro %}

{% macro is_internal_traffic() -%}
    {%- for pattern in var('internal_url_patterns') -%}
        page_url like '{{ pattern }}'{{ ' or ' if not loop.last }}
    {%- else -%}
        false
    {%- endfor -%}
{%- endmacro %}
