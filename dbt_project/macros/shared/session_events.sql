{# Events with their sessions, and which of them a model reads in a run. #}

{% macro session_events() -%}
    {#- The events of the sessions that the queue of this model names; where it is built in full, all events. -#}
    {%- set all_events, touched_events = ref('int_events_sessionized'), ref('int_events_touched') -%}
    {%- if rebuilds_every_key(model.name) -%}
    {{ all_events }}
    {%- else -%}
    (
        select * from {{ touched_events }}
        where session_key in ({{ queued_keys(model.name) }})
    )
    {%- endif -%}
{%- endmacro %}

{% macro events_with_sessions(events, session_buckets) -%}
select
    session_buckets.session_key,
    session_buckets.person_id,
    session_buckets.is_bot,
    session_buckets.is_internal,
    events.*
from {{ events }} as events
inner join {{ session_buckets }} as session_buckets
    on
        events.bucket_key = session_buckets.bucket_key
        and events.bucket = session_buckets.bucket
        and events.occurred_at >= session_buckets.from_at
        and (session_buckets.until_at is null or events.occurred_at < session_buckets.until_at)
{%- endmacro %}

{% macro bucket_key(user_id, anonymous_id, trusted_session_id, bucket) -%}
    {#- Who and when as one number: every model joins all events by it, and texts would be fetched from all over memory. -#}
    {{ key_of([user_id, anonymous_id, trusted_session_id, bucket]) }}
{%- endmacro %}

{% macro counts_in_marts() -%}
    {#- Bots and internal traffic are flagged in `sessions` and counted nowhere else, unless a setting says so. -#}
    {{ 'not is_bot' if var('leave_out_bots') else 'true' }}
    and {{ 'not is_internal' if var('leave_out_internal') else 'true' }}
{%- endmacro %}

{% macro is_suspected() -%}
    {#- The collector marks what a flood from browsers brings with a reason. Only marked events are parsed. -#}
    case
        when authority = 'browser' and properties like '%"suspected"%'
            then coalesce({{ json_text('properties', 'suspected') }}, '') not in ('', 'false')
    end
{%- endmacro %}

{% macro is_internal_traffic() -%}
    ({{ matches_any('page_url', var('internal_url_patterns')) }})
{%- endmacro %}
