{# Functions that engines spell differently, each behind a dispatched macro. #}

{% macro utc(timestamp) -%}
    {#- A time with zone as a time without one, in UTC. -#}
    {{ return(adapter.dispatch('utc')(timestamp)) }}
{%- endmacro %}
{% macro duckdb__utc(timestamp) -%}
    {#- `at time zone` would ask the calendar of the zone for each row, which costs as much as reading the row. -#}
    make_timestamp(epoch_us({{ timestamp }}))
{%- endmacro %}
{% macro spark__utc(timestamp) -%}{{ timestamp }}{%- endmacro %}

{% macro local_time(timestamp, timezone) -%}
    {#- A time in UTC as the clock on the wall showed it. -#}
    {{ return(adapter.dispatch('local_time')(timestamp, timezone)) }}
{%- endmacro %}
{% macro duckdb__local_time(timestamp, timezone) -%}({{ timestamp }} at time zone 'UTC' at time zone {{ timezone }}){%- endmacro %}
{% macro spark__local_time(timestamp, timezone) -%}from_utc_timestamp({{ timestamp }}, {{ timezone }}){%- endmacro %}

{% macro epoch_micros(timestamp) -%}{{ return(adapter.dispatch('epoch_micros')(timestamp)) }}{%- endmacro %}
{% macro duckdb__epoch_micros(timestamp) -%}epoch_us({{ timestamp }}){%- endmacro %}
{% macro spark__epoch_micros(timestamp) -%}unix_micros({{ timestamp }}){%- endmacro %}

{% macro epoch_bucket(timestamp, seconds) -%}
    {#- Number of the stretch of so many seconds, counted from 1970. -#}
    {{ return(adapter.dispatch('epoch_bucket')(timestamp, seconds)) }}
{%- endmacro %}
{% macro duckdb__epoch_bucket(timestamp, seconds) -%}(epoch_us({{ timestamp }}) // {{ seconds * 1000000 }}){%- endmacro %}
{% macro spark__epoch_bucket(timestamp, seconds) -%}(unix_micros({{ timestamp }}) div {{ seconds * 1000000 }}){%- endmacro %}

{% macro json_text(column, key) -%}
    {#- The value as text; null where there is none, or where the engine cannot read the JSON, half of a surrogate pair for
        example, which JSON's grammar allows. -#}
    {{ return(adapter.dispatch('json_text')(column, key)) }}
{%- endmacro %}
{% macro duckdb__json_text(column, key) -%}try(json_extract_string({{ column }}, '$.{{ key }}')){%- endmacro %}
{% macro spark__json_text(column, key) -%}get_json_object({{ column }}, '$.{{ key }}'){%- endmacro %}

{% macro url_parameter(url, name) -%}regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1){%- endmacro %}

{% macro key_of(columns) -%}
    {#- A 64-bit key for joins and groups inside one engine; never shown in a mart. -#}
    {{ return(adapter.dispatch('key_of')(columns)) }}
{%- endmacro %}
{% macro duckdb__key_of(columns) -%}hash({{ columns | join(', ') }}){%- endmacro %}
{% macro spark__key_of(columns) -%}
    {#- Spark's hash passes over nulls, so which columns are null is hashed too. -#}
    xxhash64({{ columns | join(', ') }}{% for column in columns %}, {{ column }} is null{% endfor %})
{%- endmacro %}

{% macro fingerprint_of(columns) -%}
    {#- A number that tells whether a set of rows changed, whatever their order. -#}
    bit_xor({{ key_of(columns) }})
{%- endmacro %}

{% macro each_of(list) -%}
    {#- In a select list: one row per element. -#}
    {{ return(adapter.dispatch('each_of')(list)) }}
{%- endmacro %}
{% macro duckdb__each_of(list) -%}unnest({{ list }}){%- endmacro %}
{% macro spark__each_of(list) -%}explode({{ list }}){%- endmacro %}

{% macro text_list(values) -%}
    {#- The values as literals, separated by commas; null where there are none. -#}
    {{ "'" ~ values | join("', '") ~ "'" if values else 'null' }}
{%- endmacro %}

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

{% macro moment_of(timestamp, event_id) -%}
    {#- A number that orders events by time, and those of one microsecond by their id. -#}
    {{ return(adapter.dispatch('moment_of')(timestamp, event_id)) }}
{%- endmacro %}
{% macro duckdb__moment_of(timestamp, event_id) -%}(epoch_us({{ timestamp }})::hugeint * 18446744073709551616 + hash({{ event_id }})){%- endmacro %}
{% macro spark__moment_of(timestamp, event_id) -%}struct({{ timestamp }}, {{ event_id }}){%- endmacro %}

{% macro last_known(column) -%}
    {#- Window function: the last value that is not null. -#}
    {{ return(adapter.dispatch('last_known')(column)) }}
{%- endmacro %}
{% macro duckdb__last_known(column) -%}last_value({{ column }} ignore nulls){%- endmacro %}
{% macro spark__last_known(column) -%}last_value({{ column }}, true){%- endmacro %}

{% macro first_known(column) -%}
    {#- Window function: the first value that is not null. -#}
    {{ return(adapter.dispatch('first_known')(column)) }}
{%- endmacro %}
{% macro duckdb__first_known(column) -%}first_value({{ column }} ignore nulls){%- endmacro %}
{% macro spark__first_known(column) -%}first_value({{ column }}, true){%- endmacro %}

{% macro sorted_list(column) -%}{{ return(adapter.dispatch('sorted_list')(column)) }}{%- endmacro %}
{% macro duckdb__sorted_list(column) -%}list({{ column }} order by {{ column }}){%- endmacro %}
{% macro spark__sorted_list(column) -%}array_sort(collect_list({{ column }})){%- endmacro %}

{% macro pair_of(first, second) -%}
    {#- Two values as one that is ordered by the first, then by the second. -#}
    {{ return(adapter.dispatch('pair_of')(first, second)) }}
{%- endmacro %}
{% macro duckdb__pair_of(first, second) -%}row({{ first }}, {{ second }}){%- endmacro %}
{% macro spark__pair_of(first, second) -%}struct({{ first }}, {{ second }}){%- endmacro %}

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

{% macro raise_error(message) -%}
    {#- An expression that fails with the message where it is evaluated. -#}
    {{ return(adapter.dispatch('raise_error')(message)) }}
{%- endmacro %}
{% macro duckdb__raise_error(message) -%}error({{ message }}){%- endmacro %}
{% macro spark__raise_error(message) -%}raise_error({{ message }}){%- endmacro %}

{% macro type_of(data_type) -%}
    {#- A type of the sources as the engine calls it. -#}
    {{ return(adapter.dispatch('type_of')(data_type)) }}
{%- endmacro %}
{% macro duckdb__type_of(data_type) -%}{{ data_type }}{%- endmacro %}
{% macro spark__type_of(data_type) -%}
    {%- set types = {'varchar': 'string', 'varchar[]': 'array<string>', 'timestamp with time zone': 'timestamp'} -%}
    {{ types.get(data_type, data_type) }}
{%- endmacro %}
