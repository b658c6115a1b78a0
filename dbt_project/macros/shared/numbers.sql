{# Arithmetic that many models share. #}

{% macro seconds_between(earlier, later) -%}
    (({{ epoch_micros(later) }} - {{ epoch_micros(earlier) }}) / cast(1000000 as double))
{%- endmacro %}

{% macro days_between(earlier, later) -%}
    ({{ seconds_between(earlier, later) }} / 86400)
{%- endmacro %}

{% macro decay(age, half_life) -%}
    {#- The weight of something of this age; age and half-life are in the same unit. -#}
    pow(0.5, {{ age }} / {{ half_life }})
{%- endmacro %}

{% macro ratio(numerator, denominator) -%}
    {#- Null where the denominator is 0. -#}
    round({{ numerator }} / nullif({{ denominator }}, 0), 6)
{%- endmacro %}

{% macro number_within(text, least, most) -%}
    {#- The number that a text spells; null where it spells none, or one outside the limits. -#}
    case when try_cast({{ text }} as double) between {{ least }} and {{ most }} then try_cast({{ text }} as double) end
{%- endmacro %}

{% macro net_sum(amount) -%}
    {#- The sum of amounts that may cancel each other, as a purchase and its refund do. In some orders of addition the sum
        rounds to -0.0; adding 0.0 makes it 0.0. -#}
    round(sum({{ amount }}), 6) + 0.0
{%- endmacro %}
