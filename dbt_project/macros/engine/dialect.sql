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

{% macro iso_weekday(date) -%}
    {#- From 1, Monday, to 7, Sunday. -#}
    {{ return(adapter.dispatch('iso_weekday')(date)) }}
{%- endmacro %}
{% macro duckdb__iso_weekday(date) -%}isodow({{ date }}){%- endmacro %}
{% macro spark__iso_weekday(date) -%}(weekday({{ date }}) + 1){%- endmacro %}

{% macro week_of(date) -%}
    {#- The midnight at which the week of the date begins, on a Monday. -#}
    date_trunc('week', {{ date }})
{%- endmacro %}

{% macro dates_between(earlier, later) -%}
    {#- How many days the second date comes after the first. -#}
    {{ return(adapter.dispatch('dates_between')(earlier, later)) }}
{%- endmacro %}
{% macro duckdb__dates_between(earlier, later) -%}date_diff('day', {{ earlier }}, {{ later }}){%- endmacro %}
{% macro spark__dates_between(earlier, later) -%}cast(date_diff({{ later }}, {{ earlier }}) as bigint){%- endmacro %}

{% macro weeks_between(earlier, later) -%}
    {#- How many weeks the second midnight comes after the first; both are those of `week_of`. -#}
    {{ return(adapter.dispatch('weeks_between')(earlier, later)) }}
{%- endmacro %}
{% macro duckdb__weeks_between(earlier, later) -%}date_diff('week', {{ earlier }}, {{ later }}){%- endmacro %}
{% macro spark__weeks_between(earlier, later) -%}timestampdiff(week, {{ earlier }}, {{ later }}){%- endmacro %}

{% macro time_zones() -%}
    {#- A query for the names of time zones that the engine knows. -#}
    {{ return(adapter.dispatch('time_zones')()) }}
{%- endmacro %}
{% macro duckdb__time_zones() -%}select distinct name from pg_timezone_names(){%- endmacro %}
{% macro spark__time_zones() -%}
    {#- Spark has no list of them. Those of the time zone database are known to Java and to DuckDB alike. -#}
    select explode(array({{ text_list(modules.pytz.all_timezones) }})) as name
{%- endmacro %}

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

{% macro json_value(column, key) -%}
    {#- The value as JSON, as a text; the text `null` where it is JSON's null, and null where the key is missing. -#}
    {{ return(adapter.dispatch('json_value')(column, key)) }}
{%- endmacro %}
{% macro duckdb__json_value(column, key) -%}cast(try(json_extract({{ column }}, '$.{{ key }}')) as varchar){%- endmacro %}
{% macro spark__json_value(column, key) -%}to_json(variant_get(try_parse_json({{ column }}), '$.{{ key }}')){%- endmacro %}

{% macro texts_of_json(json) -%}
    {#- The elements of a JSON list, as texts; null where it is no list. -#}
    {{ return(adapter.dispatch('texts_of_json')(json)) }}
{%- endmacro %}
{% macro duckdb__texts_of_json(json) -%}try_cast({{ json }} as varchar[]){%- endmacro %}
{% macro spark__texts_of_json(json) -%}from_json({{ json }}, 'array<string>'){%- endmacro %}

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

{% macro text_list(values) -%}
    {#- The values as literals, separated by commas; null where there are none. -#}
    {{ "'" ~ values | join("', '") ~ "'" if values else 'null' }}
{%- endmacro %}

{% macro moment_of(timestamp, event_id) -%}
    {#- A number that orders events by time, and those of one microsecond by their id. -#}
    {{ return(adapter.dispatch('moment_of')(timestamp, event_id)) }}
{%- endmacro %}
{% macro duckdb__moment_of(timestamp, event_id) -%}(epoch_us({{ timestamp }})::hugeint * 18446744073709551616 + hash({{ event_id }})){%- endmacro %}
{% macro spark__moment_of(timestamp, event_id) -%}struct({{ timestamp }}, {{ event_id }}){%- endmacro %}

{% macro earliest(column, moment) -%}
    {#- Aggregate: the value at the smallest moment, of the rows that have both; null where no row has. -#}
    {{ return(adapter.dispatch('earliest')(column, moment)) }}
{%- endmacro %}
{% macro duckdb__earliest(column, moment) -%}min_by({{ column }}, {{ moment }}){%- endmacro %}
{% macro spark__earliest(column, moment) -%}
    min_by({{ column }}, case when {{ column }} is not null then {{ moment }} end)
{%- endmacro %}

{% macro latest(column, moment) -%}
    {#- Aggregate: the value at the largest moment, of the rows that have both; null where no row has. -#}
    {{ return(adapter.dispatch('latest')(column, moment)) }}
{%- endmacro %}
{% macro duckdb__latest(column, moment) -%}max_by({{ column }}, {{ moment }}){%- endmacro %}
{% macro spark__latest(column, moment) -%}
    max_by({{ column }}, case when {{ column }} is not null then {{ moment }} end)
{%- endmacro %}

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

{% macro pair_of(first, second) -%}
    {#- Two values as one that is ordered by the first, then by the second. -#}
    {{ return(adapter.dispatch('pair_of')(first, second)) }}
{%- endmacro %}
{% macro duckdb__pair_of(first, second) -%}row({{ first }}, {{ second }}){%- endmacro %}
{% macro spark__pair_of(first, second) -%}struct({{ first }}, {{ second }}){%- endmacro %}

{% macro raise_error(message) -%}
    {#- An expression that fails with the message where it is evaluated. -#}
    {{ return(adapter.dispatch('raise_error')(message)) }}
{%- endmacro %}
{% macro duckdb__raise_error(message) -%}error({{ message }}){%- endmacro %}
{% macro spark__raise_error(message) -%}raise_error({{ message }}){%- endmacro %}

{% macro rounded(number, digits) -%}
    {#- The number to so many digits behind the point, halves away from zero. -#}
    {{ return(adapter.dispatch('rounded')(number, digits)) }}
{%- endmacro %}
{% macro duckdb__rounded(number, digits) -%}round({{ number }}, {{ digits }}){%- endmacro %}
{% macro spark__rounded(number, digits) -%}
    {#- Spark itself rounds the shortest decimal text of a number, which is half where the number is a little less. -#}
    (round(cast({{ number }} as double) * {{ 10 ** digits }}) / {{ 10 ** digits }})
{%- endmacro %}

{% macro without(columns) -%}
    {#- Behind the star of a select list: the columns that it leaves out. -#}
    {{ return(adapter.dispatch('without')(columns)) }}
{%- endmacro %}
{% macro duckdb__without(columns) -%}exclude({{ columns | join(', ') }}){%- endmacro %}
{% macro spark__without(columns) -%}except({{ columns | join(', ') }}){%- endmacro %}

{% macro type_of(data_type) -%}
    {#- A type of the sources as the engine calls it. -#}
    {{ return(adapter.dispatch('type_of')(data_type)) }}
{%- endmacro %}
{% macro duckdb__type_of(data_type) -%}{{ data_type }}{%- endmacro %}
{% macro spark__type_of(data_type) -%}
    {%- set types = {
        'varchar': 'string', 'varchar[]': 'array<string>', 'bigint[]': 'array<bigint>', 'double[]': 'array<double>',
        'map(varchar, bigint)': 'map<string, bigint>', 'map(varchar, double)': 'map<string, double>',
        'timestamp with time zone': 'timestamp', 'ubigint': 'bigint', 'integer': 'int'
    } -%}
    {{ types.get(data_type, data_type) }}
{%- endmacro %}
