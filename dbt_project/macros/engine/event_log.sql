{# The event log: the parts that its manifest names, and the files beside it that the sources read. #}

{% macro home_folder() -%}
    {{ return(env_var('TESSERA_HOME', '../.tessera')) }}
{%- endmacro %}

{% macro read_events(relation, paths) -%}
    {#- The events of the parts at `paths`, with part_path and part_row, which name a row for good. Paths are those of the
        manifest, below the folder of the log, so that no table names the folder of the home. `relation` is the source: it
        gives the lineage, and in a unit test it is the rows themselves. -#}
    {%- if not execute or '__dbt__cte__' in relation | string -%}
    {{ relation }}
    {%- elif paths -%}
    {{ adapter.dispatch('read_parts')(paths) }}
    {%- else -%}
    {%- set place = [{'name': 'part_path', 'data_type': 'varchar'}, {'name': 'part_row', 'data_type': 'bigint'}] -%}
    {{ empty_relation(source_columns('event_log', 'events') + place) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__read_parts(paths) -%}
    {#- Parts of an earlier version lack the columns that the contract has gained since; they are null. -#}
    (
        select
            {% for column in source_columns('event_log', 'events') -%}
            {{ column.name }},
            {% endfor -%}
            part_path,
            part_row
        from (
            select
                * exclude (filename, file_row_number),
                regexp_extract(filename, '[^/]+/[^/]+$') as part_path,
                file_row_number as part_row
            from
                read_parquet(
                    [{{ text_list(paths_in_home(paths)) }}],
                    filename = true, file_row_number = true, hive_partitioning = false, union_by_name = true
                )
            union all by name
            select * from {{ empty_relation(source_columns('event_log', 'events')) }} as no_events
        ) as parts
    )
{%- endmacro %}

{% macro spark__read_parts(paths) -%}
    {#- One glob instead of many files; the parts are then picked from it by name. A column that no part has yet is null. -#}
    {%- set log = 'parquet.`' ~ home_folder() ~ '/events/*/*.parquet`' -%}
    {%- set logged = values_of('describe query select * from ' ~ log) -%}
    (
        select
            {% for column in source_columns('event_log', 'events') -%}
            {{ column.name if column.name in logged else 'cast(null as ' ~ type_of(column.data_type) ~ ') as ' ~ column.name }},
            {% endfor -%}
            {{ spark_path() }} as part_path,
            _metadata.row_index as part_row
        from {{ log }}
        where {{ spark_path() }} in ({{ text_list(paths) }})
    )
{%- endmacro %}

{% macro spark_path() -%}
    regexp_extract(_metadata.file_path, '[^/]+/[^/]+$', 0)
{%- endmacro %}

{% macro paths_in_home(paths) -%}
    {#- DuckDB looks for them in the folder of the home, which the setting file_search_path names. -#}
    {%- set relative_paths = [] -%}
    {%- for path in paths -%}
        {%- do relative_paths.append('events/' ~ path) -%}
    {%- endfor -%}
    {{ return(relative_paths) }}
{%- endmacro %}

{% macro read_items(relation) -%}
    {#- The snapshots of the catalogue. `relation` is the source, as in read_events. -#}
    {%- if not execute or '__dbt__cte__' in relation | string -%}
    {{ relation }}
    {%- else -%}
    {{ adapter.dispatch('read_snapshots')('catalogue/items', source_columns('catalogue', 'items')) }}
    {%- endif -%}
{%- endmacro %}

{% macro read_exchange_rates() -%}
    {#- The rates as ml/site/exchange_rates.py writes them into the home. -#}
    {%- set columns = [
        {'name': 'currency', 'data_type': 'varchar'}, {'name': 'valid_from', 'data_type': 'date'},
        {'name': 'valid_until', 'data_type': 'date'}, {'name': 'rate', 'data_type': 'double'}
    ] -%}
    {%- if execute -%}
    {{ adapter.dispatch('read_snapshots')('exchange_rates', columns) }}
    {%- else -%}
    {{ empty_relation(columns) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__read_snapshots(folder, columns) -%}
    {%- if values_of("select file from glob('" ~ folder ~ "/*.parquet')") -%}
    read_parquet('{{ folder }}/*.parquet')
    {%- else -%}
    {{ empty_relation(columns) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__read_snapshots(folder, columns) -%}
    {#- Spark raises an error for a glob without files, so the query names the manifest too, which is always there. -#}
    {%- set snapshots = values_of(
        "select path from binaryFile.`" ~ home_folder() ~ "/{" ~ folder ~ "/*.parquet,events/manifest.jsonl}`"
        ~ " where path like '%/" ~ folder ~ "/%'"
    ) -%}
    {%- if snapshots -%}
    parquet.`{{ home_folder() }}/{{ folder }}/*.parquet`
    {%- else -%}
    {{ empty_relation(columns) }}
    {%- endif -%}
{%- endmacro %}

{% macro read_segments(relation) -%}
    {#- The table that segmentation writes beside the marts; without rows as long as there is none. -#}
    {%- if not execute or '__dbt__cte__' in relation | string or load_relation(relation) is not none -%}
    {{ relation }}
    {%- else -%}
    {{ empty_relation(source_columns('segmentation', 'user_segments')) }}
    {%- endif -%}
{%- endmacro %}

{% macro live_parts() -%}
    {#- The rows of the manifest, with the path of each part below the folder of the log. -#}
    {{ return(adapter.dispatch('live_parts')()) }}
{%- endmacro %}

{% macro duckdb__live_parts() -%}
    {%- set manifest = 'events/manifest.jsonl' -%}
    {%- if values_of("select file from glob('" ~ manifest ~ "')") -%}
    (
        select
            *,
            path as part_path
        from read_json('{{ manifest }}', format = 'newline_delimited', ignore_errors = true, columns = {
            part_id: 'varchar', path: 'varchar', rows: 'bigint', replaces: 'varchar[]'
        })
    )
    {%- else -%}
    {{ empty_relation([
        {'name': 'part_id', 'data_type': 'varchar'}, {'name': 'part_path', 'data_type': 'varchar'},
        {'name': 'rows', 'data_type': 'bigint'}, {'name': 'replaces', 'data_type': 'varchar[]'}
    ]) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__live_parts() -%}
    (
        select
            part.*,
            part.path as part_path
        from (
            select from_json(value, 'part_id string, path string, rows bigint, replaces array<string>') as part
            from text.`{{ home_folder() }}/events/manifest.jsonl`
        ) as manifest
    )
{%- endmacro %}

{% macro source_columns(source_name, table_name) -%}
    {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
        {{ return(node.columns.values() | list) }}
    {%- endfor -%}
{%- endmacro %}

{% macro empty_relation(fields) -%}
    {%- set columns = [] -%}
    {%- for field in fields -%}
        {%- do columns.append('cast(null as ' ~ type_of(field.data_type) ~ ') as ' ~ field.name) -%}
    {%- endfor -%}
    (
        select {{ columns | join(', ') }}
        where false
    )
{%- endmacro %}
