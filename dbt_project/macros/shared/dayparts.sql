{# Dayparts: the setting `dayparts` names parts of the local day by their first hour and the hour after their last. #}

{% macro daypart_of(hour) -%}
    {#- A part whose hours go over midnight, as a night does, belongs to two dates. -#}
    case
        {% for daypart, hours in var('dayparts').items() -%}
        when {{ hour }} >= {{ hours[0] }} {{ 'and' if hours[0] < hours[1] else 'or' }} {{ hour }} < {{ hours[1] }}
            then '{{ daypart }}'
        {% endfor -%}
    end
{%- endmacro %}
