{# Quarantine: rows, or measures of rows, that marts cannot count. The mart `quarantine` lists them. #}

{% macro measure_of(log_rows) -%}
    {#- `value`, or null where it lies outside the setting `value_limits` of its event type. Nearly all values lie inside the
        limits of all types: those are recognised without a look at the type. -#}
    {%- set limits = var('value_limits').values() | list -%}
    case
        when {{ log_rows }}.value is null then null
        when {{ log_rows }}.value between {{ limits | map('first') | max }} and {{ limits | map('last') | min }}
            then {{ log_rows }}.value
        when not ({{ is_out_of_range(log_rows) }}) then {{ log_rows }}.value
    end
{%- endmacro %}

{% macro is_out_of_range(log_rows) -%}
    coalesce(
        case {{ log_rows }}.event_type
            {% for event_type, limits in var('value_limits').items() -%}
            when '{{ event_type }}' then {{ log_rows }}.value not between {{ limits[0] }} and {{ limits[1] }}
            {% endfor -%}
        end,
        false
    )
{%- endmacro %}

{% macro quarantine_reason(log_rows) -%}
    {#- Why a row, or its measure, counts nowhere; null where it counts. -#}
    case
        when {{ is_claim(log_rows ~ '.authority') }} and {{ log_rows }}.event_type in ('served', 'erased', 'exposure')
            then 'not_allowed_from_browser'
        when {{ log_rows }}.authority = 'browser' and {{ log_rows }}.event_type = 'preference'
            then 'not_allowed_from_browser'
        when {{ log_rows }}.authority = 'browser' and {{ log_rows }}.user_id is not null then 'user_claimed_by_browser'
        when
            {{ log_rows }}.event_type = 'exposure'
            and ({{ log_rows }}.experiment_id is null or {{ log_rows }}.variant is null)
            then 'exposure_without_variant'
        when {{ log_rows }}.event_type = 'served' and {{ log_rows }}.recommendation_id is null then 'answer_without_id'
        when {{ is_out_of_range(log_rows) }} then 'value_out_of_range'
    end
{%- endmacro %}

{% macro order_of_answers() -%}
    {#- Of the answers under one recommendation_id, the first is the answer. -#}
    received_at,
    event_id
{%- endmacro %}
