{# Money: which currency an amount is in, and what it is worth in the currency of the site. #}

{% macro no_currency() -%}
    {#- The code of ISO 4217 for no currency. -#}
    {{ return('XXX') }}
{%- endmacro %}

{% macro currency_of(properties) -%}
    {#- The code that the property `currency` of a purchase names, see currency_code. -#}
    case
        when {{ properties }} is null or {{ properties }} not like '%"currency"%' then ''
        else {{ currency_code(json_text(properties, 'currency')) }}
    end
{%- endmacro %}

{% macro currency_code(text) -%}
    {#- The code that a text names, in capitals; empty where there is none, and no_currency where the text is no code. -#}
    {%- set code = 'upper(trim(' ~ text ~ '))' -%}
    case
        when coalesce({{ code }}, '') = '' then ''
        when regexp_extract({{ code }}, '^([A-Z]{3})$', 1) = '' then '{{ no_currency() }}'
        else {{ code }}
    end
{%- endmacro %}

{% macro in_site_currency(amount, rate) -%}
    {#- Null where no rate is known; nothing is worth nothing in any currency. -#}
    case when {{ amount }} = 0 then 0.0 else {{ amount }} * {{ rate }} end
{%- endmacro %}

{% macro is_unconverted() -%}
    value is not null and amount is null
{%- endmacro %}
