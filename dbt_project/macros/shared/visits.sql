{# Visits: a person on a device until silence. `activity` names a relation with the columns of int_activity_attributed.

   Where a client's session ids are trusted, silence inside such a session ends nothing. An event that names no device
   comes from a server: it joins the visit that its person is on, the latest one where there are several, and prolongs it.
   Where no visit is running, the events of servers are visits of their own. #}

{% macro visits_of(activity) -%}
with buckets as (

    -- Of buckets that begin together, those that name a device come first, for servers to find it.
    select
        *,
        row_number() over (
            partition by person_id
            order by
                first_at, anonymous_id nulls last, last_at, user_id nulls last, trusted_session_id nulls last, bucket
        ) as place,
        case when anonymous_id is not null then device_id end as device_named,
        case
            when trusted_session_id is null then last_at
            else max(last_at) over (partition by person_id, device_id, trusted_session_id)
        end as active_until
    from {{ activity }}

),

-- First the stretches without silence of a person on all devices, in which servers look for a device.
buckets_after_silence as (

    select
        *,
        max(active_until) over (
            partition by person_id order by place
            rows between unbounded preceding and 1 preceding
        ) as silent_since
    from buckets

),

buckets_in_stretches as (

    select
        *,
        max(case when {{ begins_after('silent_since') }} then first_at end) over (
            partition by person_id order by place rows between unbounded preceding and current row
        ) as stretch_started_at
    from buckets_after_silence

),

buckets_on_devices as (

    select
        *,
        coalesce(
            {{ last_known('device_named') }} over (
                partition by person_id, stretch_started_at order by place
                rows between unbounded preceding and current row
            ),
            {{ first_known('device_named') }} over (
                partition by person_id, stretch_started_at order by place
                rows between current row and unbounded following
            ),
            device_id
        ) as visit_device_id
    from buckets_in_stretches

),

-- Then the visits of a person on each device, servers included.
device_buckets_after_silence as (

    select
        *,
        max(active_until) over (
            partition by person_id, visit_device_id order by place
            rows between unbounded preceding and 1 preceding
        ) as device_silent_since
    from buckets_on_devices

),

visits as (

    select
        *,
        max(case when {{ begins_after('device_silent_since') }} then first_at end) over (
            partition by person_id, visit_device_id order by place
            rows between unbounded preceding and current row
        ) as visit_started_at
    from device_buckets_after_silence

)

select
    *,
    max(trusted_session_id) over (partition by person_id, visit_device_id, visit_started_at) is not null
        as has_trusted_session
from visits
{%- endmacro %}

{% macro begins_after(silent_since) -%}
    {#- Whether what begins at first_at comes after silence, and so begins a visit. -#}
    (
        {{ silent_since }} is null
        or {{ seconds_between(silent_since, 'first_at') }} > {{ var('session_timeout_minutes') * 60 }}
    )
{%- endmacro %}

{% macro trusted_session_of(log_rows) -%}
    {#- The client's own session, where its source stands in the setting `trusted_session_sources`. -#}
    case
        when {{ log_rows }}.source in ({{ text_list(var('trusted_session_sources')) }})
            then nullif({{ log_rows }}.session_id, '')
    end
{%- endmacro %}
