{# Events under the names of the warehouse: stg_events for all parts of the log, and the same for some of them. #}

{% macro renamed_events(log_rows) -%}
{%- set user_id, anonymous_id = vouched_user_id('log_rows'), device_of('log_rows') -%}
{%- set trusted_session_id = trusted_session_of('log_rows') -%}
{%- set currency = "case when log_rows.event_type = 'purchase' then " ~ currency_of('log_rows.properties') ~ ' end' -%}
{%- set date = site_date(utc('log_rows.occurred_at')) -%}
select
    -- ids
    {{ event_id_of_sender('log_rows') }} as event_id,
    {{ user_id }} as user_id,
    {{ anonymous_id }} as anonymous_id,
    coalesce({{ anonymous_id }}, {{ user_id }}) as device_id,
    log_rows.session_id as client_session_id,
    {{ trusted_session_id }} as trusted_session_id,
    log_rows.item_id,
    log_rows.recommendation_id,
    log_rows.experiment_id,
    log_rows.variant,

    -- what happened
    log_rows.event_type,
    {{ measure_of('log_rows') }} as value,
    coalesce(log_rows.event_type = 'purchase' and log_rows.value < 0, false) as is_refund,
    case
        when log_rows.event_type = 'purchase'
            then coalesce(nullif({{ json_text('log_rows.properties', 'order_id') }}, ''), log_rows.event_id)
    end as order_id,
    {{ currency }} as currency,
    case
        when log_rows.event_type = 'purchase' then {{ in_site_currency(measure_of('log_rows'), 'exchange_rates.rate') }}
    end as amount,
    log_rows.properties,

    -- where on the site
    log_rows.page_url,
    log_rows.page_title,
    log_rows.referrer,
    coalesce({{ address_of('log_rows.page_url') }}, log_rows.item_id, '') as page_key,

    -- context
    log_rows.device_type,
    log_rows.os,
    log_rows.browser,
    log_rows.screen_width,
    log_rows.screen_height,
    log_rows.language,
    log_rows.timezone,
    log_rows.country,
    log_rows.region,
    log_rows.city,
    log_rows.network_type,
    log_rows.consent,
    log_rows.source,
    coalesce(log_rows.authority, 'server') as authority,
    {{ quarantine_reason('log_rows') }} as quarantine_reason,

    -- when, in UTC
    {{ utc('log_rows.occurred_at') }} as occurred_at,
    {{ utc('log_rows.received_at') }} as received_at,
    {{ epoch_bucket('log_rows.occurred_at', var('bucket_seconds')) }} as bucket,
    {{ bucket_key(
        user_id, anonymous_id, trusted_session_id, epoch_bucket('log_rows.occurred_at', var('bucket_seconds'))
    ) }} as bucket_key,

    -- which row of the log
    log_rows.part_path,
    log_rows.part_row
from {{ log_rows }} as log_rows
left join {{ ref('stg_exchange_rates') }} as exchange_rates
    on
        {{ currency }} = exchange_rates.currency
        and {{ date }} >= exchange_rates.valid_from and {{ date }} < exchange_rates.valid_until
where not exists (
    select 1 from {{ ref('stg_event_repeats') }} as repeats
    where repeats.part_path = log_rows.part_path and repeats.part_row = log_rows.part_row
)
{%- endmacro %}

{% macro events_of_parts(paths) -%}
    {#- stg_events of these parts alone. They are read by their names: behind a filter by part_path DuckDB expects a single
        row, and keeps all these events in memory to find the few repeats among them. -#}
    (
        {{ renamed_events(read_events(source('event_log', 'events'), paths)) }}
    )
{%- endmacro %}

{% macro address_of(url) -%}
    {#- A place on a page is no page of its own; a fragment that is the route of an application is. -#}
    case
        when {{ url }} like '%#%' and {{ url }} not like '%#/%' and {{ url }} not like '%#!%'
            then split_part({{ url }}, '#', 1)
        else {{ url }}
    end
{%- endmacro %}

{% macro page_view_id_of(properties) -%}
    {#- The id that a tracker gives to the view of a page, with which it marks all that happens on it. -#}
    case
        when {{ properties }} like '%"page_view_id"%' then nullif({{ json_text(properties, 'page_view_id') }}, '')
    end
{%- endmacro %}

{% macro not_done_by_visitors() -%}
    {#- Event types that the service or the site records about visitors, and the control of identity and consent. -#}
    {{ return([
        'served', 'impression', 'exposure', 'identify', 'preference', 'consent_granted', 'consent_withdrawn', 'erased',
        'segment_feedback'
    ]) }}
{%- endmacro %}
