{# Lists and maps, which engines spell differently, each behind a dispatched macro. #}

{% macro each_of(list) -%}
    {#- In a select list: one row per element. -#}
    {{ return(adapter.dispatch('each_of')(list)) }}
{%- endmacro %}
{% macro duckdb__each_of(list) -%}unnest({{ list }}){%- endmacro %}
{% macro spark__each_of(list) -%}explode({{ list }}){%- endmacro %}

{% macro map_of(key, value, condition='true') -%}
    {#- Aggregate: a map from key to value over the rows that meet the condition, in the order of the keys. -#}
    {{ return(adapter.dispatch('map_of')(key, value, condition)) }}
{%- endmacro %}
{% macro duckdb__map_of(key, value, condition) -%}
    {#- Sorted after it is collected: an ordered aggregate takes twice the time. -#}
    map_from_entries(list_sort(coalesce(list({'k': {{ key }}, 'v': {{ value }}}) filter (where {{ condition }}), [])))
{%- endmacro %}
{% macro spark__map_of(key, value, condition) -%}
    map_from_entries(array_sort(collect_list(
        case when {{ condition }} then named_struct('k', {{ key }}, 'v', {{ value }}) end
    )))
{%- endmacro %}

{% macro sorted_list(column) -%}
    {#- Aggregate: the values in their order, nulls last. -#}
    {{ return(adapter.dispatch('sorted_list')(column)) }}
{%- endmacro %}
{% macro duckdb__sorted_list(column) -%}list({{ column }} order by {{ column }}){%- endmacro %}
{% macro spark__sorted_list(column) -%}
    {#- Spark collects no nulls, but structures that hold them. -#}
    transform(
        array_sort(collect_list(named_struct('is_null', {{ column }} is null, 'value', {{ column }}))), x -> x.value
    )
{%- endmacro %}

{% macro array_has(list, value) -%}{{ return(adapter.dispatch('array_has')(list, value)) }}{%- endmacro %}
{% macro duckdb__array_has(list, value) -%}coalesce(list_contains({{ list }}, {{ value }}), false){%- endmacro %}
{% macro spark__array_has(list, value) -%}coalesce(array_contains({{ list }}, {{ value }}), false){%- endmacro %}

{% macro joined_lists(column, condition) -%}
    {#- Aggregate: the lists of the rows that meet the condition, as one list. -#}
    {{ return(adapter.dispatch('joined_lists')(column, condition)) }}
{%- endmacro %}
{% macro duckdb__joined_lists(column, condition) -%}flatten(coalesce(list({{ column }}) filter (where {{ condition }}), [])){%- endmacro %}
{% macro spark__joined_lists(column, condition) -%}flatten(collect_list(case when {{ condition }} then {{ column }} end)){%- endmacro %}

{% macro list_of(values) -%}{{ return(adapter.dispatch('list_of')(values)) }}{%- endmacro %}
{% macro duckdb__list_of(values) -%}[{{ values | join(', ') }}]{%- endmacro %}
{% macro spark__list_of(values) -%}array({{ values | join(', ') }}){%- endmacro %}

{% macro element_of(list, place) -%}
    {#- The element at the place, counted from 1; null beyond the end. -#}
    {{ return(adapter.dispatch('element_of')(list, place)) }}
{%- endmacro %}
{% macro duckdb__element_of(list, place) -%}{{ list }}[{{ place }}]{%- endmacro %}
{% macro spark__element_of(list, place) -%}get({{ list }}, cast({{ place }} as integer) - 1){%- endmacro %}

{% macro first_within(times, after, until) -%}
    {#- The earliest of a list of times that is later than `after` and not later than `until`; null where there is none. -#}
    {{ return(adapter.dispatch('first_within')(times, after, until)) }}
{%- endmacro %}
{% macro duckdb__first_within(times, after, until) -%}
    list_min(list_filter({{ times }}, lambda t: t > {{ after }} and t <= {{ until }}))
{%- endmacro %}
{% macro spark__first_within(times, after, until) -%}
    array_min(filter({{ times }}, t -> t > {{ after }} and t <= {{ until }}))
{%- endmacro %}

{% macro list_of_pairs(first, second) -%}
    {#- Aggregate: the pairs of both columns, in any order. -#}
    {{ return(adapter.dispatch('list_of_pairs')(first, second)) }}
{%- endmacro %}
{% macro duckdb__list_of_pairs(first, second) -%}list({'first': {{ first }}, 'second': {{ second }}}){%- endmacro %}
{% macro spark__list_of_pairs(first, second) -%}collect_list(named_struct('first', {{ first }}, 'second', {{ second }})){%- endmacro %}

{% macro largest_second_until(pairs, until) -%}
    {#- The largest second of the pairs whose first is not later than `until`; null where there is none. -#}
    {{ return(adapter.dispatch('largest_second_until')(pairs, until)) }}
{%- endmacro %}
{% macro duckdb__largest_second_until(pairs, until) -%}
    list_max(list_transform(list_filter({{ pairs }}, lambda p: p.first <= {{ until }}), lambda p: p.second))
{%- endmacro %}
{% macro spark__largest_second_until(pairs, until) -%}
    array_max(transform(filter({{ pairs }}, p -> p.first <= {{ until }}), p -> p.second))
{%- endmacro %}

{% macro smallest_of(list) -%}{{ return(adapter.dispatch('smallest_of')(list)) }}{%- endmacro %}
{% macro duckdb__smallest_of(list) -%}list_min({{ list }}){%- endmacro %}
{% macro spark__smallest_of(list) -%}array_min({{ list }}){%- endmacro %}

{% macro distinct_list(column) -%}
    {#- Aggregate: the different values of the column, in any order. -#}
    {{ return(adapter.dispatch('distinct_list')(column)) }}
{%- endmacro %}
{% macro duckdb__distinct_list(column) -%}list(distinct {{ column }}){%- endmacro %}
{% macro spark__distinct_list(column) -%}collect_set({{ column }}){%- endmacro %}

{% macro last_until(times, until) -%}
    {#- The latest of a list of times that is not later than `until`; null where there is none. -#}
    {{ return(adapter.dispatch('last_until')(times, until)) }}
{%- endmacro %}
{% macro duckdb__last_until(times, until) -%}list_max(list_filter({{ times }}, lambda t: t <= {{ until }})){%- endmacro %}
{% macro spark__last_until(times, until) -%}array_max(filter({{ times }}, t -> t <= {{ until }})){%- endmacro %}

{% macro list_without(list, value) -%}
    {#- The elements of the list that differ from the value. -#}
    {{ return(adapter.dispatch('list_without')(list, value)) }}
{%- endmacro %}
{% macro duckdb__list_without(list, value) -%}list_filter({{ list }}, lambda x: x <> {{ value }}){%- endmacro %}
{% macro spark__list_without(list, value) -%}filter({{ list }}, x -> x <> {{ value }}){%- endmacro %}

{% macro map_literal(entries) -%}
    {#- A map from names to expressions, in the order of `entries`. -#}
    {{ return(adapter.dispatch('map_literal')(entries)) }}
{%- endmacro %}
{% macro duckdb__map_literal(entries) -%}
    map_from_entries([
        {% for name, value in entries.items() -%}
        {'k': '{{ name }}', 'v': {{ value }}}{{ ',' if not loop.last }}
        {% endfor -%}
    ])
{%- endmacro %}
{% macro spark__map_literal(entries) -%}
    map(
        {% for name, value in entries.items() -%}
        '{{ name }}', {{ value }}{{ ',' if not loop.last }}
        {% endfor -%}
    )
{%- endmacro %}
