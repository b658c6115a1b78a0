{# Functions whose spelling differs between the engines; everything else in the models is common SQL. #}

{% macro epoch_bucket(timestamp, seconds) -%}{{ return(adapter.dispatch('epoch_bucket')(timestamp, seconds)) }}{%- endmacro %}
{% macro duckdb__epoch_bucket(timestamp, seconds) -%}(epoch_us({{ timestamp }}) // {{ seconds * 1000000 }}){%- endmacro %}

{% macro seconds_between(earlier, later) -%}{{ return(adapter.dispatch('seconds_between')(earlier, later)) }}{%- endmacro %}
{% macro duckdb__seconds_between(earlier, later) -%}((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1e6){%- endmacro %}

{% macro json_text(column, key) -%}{{ return(adapter.dispatch('json_text')(column, key)) }}{%- endmacro %}
{% macro duckdb__json_text(column, key) -%}json_extract_string({{ column }}, '$.{{ key }}'){%- endmacro %}

{% macro key_of(columns) -%}{{ return(adapter.dispatch('key_of')(columns)) }}{%- endmacro %}
{% macro duckdb__key_of(columns) -%}hash({{ columns | join(', ') }}){%- endmacro %}

{% macro utc(timestamp) -%}{{ return(adapter.dispatch('utc')(timestamp)) }}{%- endmacro %}
{% macro duckdb__utc(timestamp) -%}({{ timestamp }} at time zone 'UTC'){%- endmacro %}

{% macro local_time(timestamp, timezone) -%}{{ return(adapter.dispatch('local_time')(timestamp, timezone)) }}{%- endmacro %}
{% macro duckdb__local_time(timestamp, timezone) -%}({{ timestamp }} at time zone 'UTC' at time zone {{ timezone }}){%- endmacro %}
