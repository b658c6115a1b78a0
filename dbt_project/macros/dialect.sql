{# Functions that engines spell differently, each behind a dispatched macro. #}

{% macro utc(timestamp) -%}
    {#- A time with zone as a time without one, in UTC. -#}
    {{ return(adapter.dispatch('utc')(timestamp)) }}
{%- endmacro %}
{% macro duckdb__utc(timestamp) -%}({{ timestamp }} at time zone 'UTC'){%- endmacro %}

{% macro local_time(timestamp, timezone) -%}
    {#- A time in UTC as the clock on the wall showed it. -#}
    {{ return(adapter.dispatch('local_time')(timestamp, timezone)) }}
{%- endmacro %}
{% macro duckdb__local_time(timestamp, timezone) -%}({{ timestamp }} at time zone 'UTC' at time zone {{ timezone }}){%- endmacro %}

{% macro epoch_micros(timestamp) -%}{{ return(adapter.dispatch('epoch_micros')(timestamp)) }}{%- endmacro %}
{% macro duckdb__epoch_micros(timestamp) -%}epoch_us({{ timestamp }}){%- endmacro %}

{% macro epoch_bucket(timestamp, seconds) -%}
    {#- Number of the stretch of so many seconds, counted from 1970. -#}
    {{ return(adapter.dispatch('epoch_bucket')(timestamp, seconds)) }}
{%- endmacro %}
{% macro duckdb__epoch_bucket(timestamp, seconds) -%}(epoch_us({{ timestamp }}) // {{ seconds * 1000000 }}){%- endmacro %}

{% macro seconds_between(earlier, later) -%}(({{ epoch_micros(later) }} - {{ epoch_micros(earlier) }}) / cast(1000000 as double)){%- endmacro %}

{% macro json_text(column, key) -%}{{ return(adapter.dispatch('json_text')(column, key)) }}{%- endmacro %}
{% macro duckdb__json_text(column, key) -%}json_extract_string({{ column }}, '$.{{ key }}'){%- endmacro %}

{% macro url_parameter(url, name) -%}{{ return(adapter.dispatch('url_parameter')(url, name)) }}{%- endmacro %}
{% macro duckdb__url_parameter(url, name) -%}regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1){%- endmacro %}

{% macro key_of(columns) -%}
    {#- A 64-bit key for joins and groups inside one engine; never shown in a mart. -#}
    {{ return(adapter.dispatch('key_of')(columns)) }}
{%- endmacro %}
{% macro duckdb__key_of(columns) -%}hash({{ columns | join(', ') }}){%- endmacro %}

{% macro fingerprint_of(columns) -%}
    {#- A number that tells whether a set of rows changed, whatever their order. -#}
    bit_xor({{ key_of(columns) }})
{%- endmacro %}

{% macro exploded(relation, array, column) -%}{{ return(adapter.dispatch('exploded')(relation, array, column)) }}{%- endmacro %}
{% macro duckdb__exploded(relation, array, column) -%}(select unnest({{ array }}) as {{ column }} from {{ relation }}){%- endmacro %}

{% macro text_list(values) -%}
    {%- for value in values -%}'{{ value }}'{{ ', ' if not loop.last }}{%- else -%}null{%- endfor -%}
{%- endmacro %}

{% macro map_of(key, value, condition='true') -%}
    {#- Aggregate: a map from key to value over the rows that meet the condition, in the order of the keys. -#}
    {{ return(adapter.dispatch('map_of')(key, value, condition)) }}
{%- endmacro %}
{% macro duckdb__map_of(key, value, condition) -%}
    map_from_entries(coalesce(list({'k': {{ key }}, 'v': {{ value }}} order by {{ key }}) filter (where {{ condition }}), []))
{%- endmacro %}

{% macro moment_of(timestamp, event_id) -%}
    {#- A number that orders events by time, and those of one microsecond by their id. -#}
    {{ return(adapter.dispatch('moment_of')(timestamp, event_id)) }}
{%- endmacro %}
{% macro duckdb__moment_of(timestamp, event_id) -%}(epoch_us({{ timestamp }})::hugeint * 18446744073709551616 + hash({{ event_id }})){%- endmacro %}

{% macro sorted_list(column) -%}{{ return(adapter.dispatch('sorted_list')(column)) }}{%- endmacro %}
{% macro duckdb__sorted_list(column) -%}list({{ column }} order by {{ column }}){%- endmacro %}
