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
    {{ rounded(numerator ~ ' / nullif(' ~ denominator ~ ', 0)', 6) }}
{%- endmacro %}

{% macro share_bound(times, trials, side) -%}
    {#- The lower or the upper bound of the share that `times` of `trials` (at least 1) are evidence of: Wilson's score
        interval. E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927. -#}
    {%- set z = var('evidence_standard_errors') -%}
    {%- set bound -%}
    least(greatest((
        {{ times }} + {{ z * z / 2 }} {{ '-' if side == 'low' else '+' }} {{ z }} * sqrt(
            {{ times }} * ({{ trials }} - {{ times }}) / {{ trials }} + {{ z * z / 4 }}
        )
    ) / ({{ trials }} + {{ z * z }}), 0), 1)
    {%- endset -%}
    {{ rounded(bound, 6) }}
{%- endmacro %}

{% macro number_within(text, least, most) -%}
    {#- The number that a text spells; null where it spells none, or one outside the limits. -#}
    case when try_cast({{ text }} as double) between {{ least }} and {{ most }} then try_cast({{ text }} as double) end
{%- endmacro %}

{% macro net_sum(amount) -%}
    {#- The sum of amounts that may cancel each other, as a purchase and its refund do. In some orders of addition the sum
        rounds to -0.0; adding 0.0 makes it 0.0. -#}
    {{ rounded('sum(' ~ amount ~ ')', 6) }} + 0.0
{%- endmacro %}
