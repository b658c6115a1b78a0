{# Authority: who vouches for an event. What a browser says is a claim, also where a token names its user. The columns that
   these macros read are those of the event log. #}

{% macro is_claim(authority='authority') -%}
    coalesce({{ authority }} in ('browser', 'signed'), false)
{%- endmacro %}

{% macro authority_rank(authority) -%}
    {#- The smaller, the more it is worth. -#}
    case coalesce({{ authority }}, 'server') when 'service' then 0 when 'server' then 1 when 'signed' then 2 else 3 end
{%- endmacro %}

{% macro vouched_user_id(log_rows) -%}
    {#- A browser without a token names no user, and a blank id names nobody. -#}
    case when {{ log_rows }}.authority = 'browser' then null else nullif({{ log_rows }}.user_id, '') end
{%- endmacro %}

{% macro device_of(log_rows) -%}
    {#- What a browser calls its user is the id of a device like any other. -#}
    case
        when {{ log_rows }}.authority = 'browser'
            then coalesce(nullif({{ log_rows }}.anonymous_id, ''), {{ log_rows }}.user_id)
        else nullif({{ log_rows }}.anonymous_id, '')
    end
{%- endmacro %}

{% macro event_id_of_sender(log_rows) -%}
    {#- The id under which repeats are looked for. Ids of servers stay as they are. Those of browsers carry their sender, so
        that nobody can take the id of another's event. Two senders never share an id: a colon inside a sender is escaped,
        and an id of a server that looks like one of a browser is marked. -#}
    case
        when {{ is_claim(log_rows ~ '.authority') }}
            then concat({{ sender_of(log_rows) }}, ':', {{ log_rows }}.event_id)
        when
            (
                {{ log_rows }}.event_id like 'browser:%' or {{ log_rows }}.event_id like 'signed:%'
                or {{ log_rows }}.event_id like 'server:%'
            )
            and (
                replace({{ log_rows }}.event_id, 'server:', '') like 'browser:%'
                or replace({{ log_rows }}.event_id, 'server:', '') like 'signed:%'
            )
            then concat('server:', {{ log_rows }}.event_id)
        else {{ log_rows }}.event_id
    end
{%- endmacro %}

{% macro sender_of(log_rows) -%}
    {#- The device of a claim, or the user whom its token names where no device is known. -#}
    concat(
        case when {{ device_of(log_rows) }} is not null then 'browser:' else 'signed:' end,
        replace(replace(coalesce({{ device_of(log_rows) }}, {{ log_rows }}.user_id), '%', '%25'), ':', '%3A')
    )
{%- endmacro %}

{% macro counts_as_conversion() -%}
    {#- Whether an event is a purchase of which somebody else than the browser knows, unless a setting takes its word. -#}
    {{ 'true' if var('count_browser_conversions') else 'not ' ~ is_claim() }}
{%- endmacro %}
