{# Reading the log: the parts that its manifest names, and nothing else. #}

{% macro home_folder() -%}{{ return(env_var('TESSERA_HOME', '../.tessera')) }}{%- endmacro %}

{% macro read_events(relation, paths) -%}
    {#- Events of the parts at `paths`, with part_path and part_row, which name a row for good. `relation` is the source: it
        keeps the lineage, and in a unit test it is the rows themselves. -#}
    {%- if not execute or '__dbt__cte__' in relation | string -%}
        {{ relation }}
    {%- elif paths -%}
        {{ adapter.dispatch('read_parts')(paths) }}
    {%- else -%}
        {%- set extra = [{'name': 'part_path', 'data_type': 'varchar'}, {'name': 'part_row', 'data_type': 'bigint'}] -%}
        {{ empty_relation(source_columns('event_log', 'events') + extra) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__read_parts(paths) -%}
    (
        select * exclude (filename, file_row_number), filename as part_path, file_row_number as part_row
        from read_parquet({{ paths | list | tojson | replace('"', "'") }}, filename = true, file_row_number = true, hive_partitioning = false)
    )
{%- endmacro %}

{% macro spark__read_parts(paths) -%}
    {#- One glob in place of many files; the parts of the manifest are picked from it by name. -#}
    (
        select
            {% for column in source_columns('event_log', 'events') -%}
            {{ column.name }},
            {% endfor -%}
            {{ spark_path() }} as part_path,
            _metadata.row_index as part_row
        from parquet.`{{ home_folder() }}/events/*/*.parquet`
        where {{ spark_path() }} in ({{ text_list(paths) }})
    )
{%- endmacro %}

{% macro spark_path() -%}regexp_replace(_metadata.file_path, '^file:/+', '/'){%- endmacro %}

{% macro read_items(relation) -%}
    {%- if not execute or '__dbt__cte__' in relation | string -%}
        {{ relation }}
    {%- else -%}
        {{ adapter.dispatch('read_snapshots')(home_folder() ~ '/catalogue/items') }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__read_snapshots(folder) -%}
    {%- set found = run_query("select count(*) from glob('" ~ folder ~ "/*.parquet')").columns[0].values()[0] -%}
    {%- if found > 0 -%}
        read_parquet('{{ folder }}/*.parquet')
    {%- else -%}
        {{ empty_relation(source_columns('catalogue', 'items')) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__read_snapshots(folder) -%}
    {#- A glob that nothing matches is an error, so the manifest, which is always there, is asked for with the snapshots. -#}
    {%- set found = run_query(
        "select count(*) from binaryFile.`" ~ home_folder() ~ "/{catalogue/items/*.parquet,events/manifest.jsonl}`"
        ~ " where path like '%/catalogue/items/%'"
    ).columns[0].values()[0] -%}
    {%- if found > 0 -%}
        parquet.`{{ folder }}/*.parquet`
    {%- else -%}
        {{ empty_relation(source_columns('catalogue', 'items')) }}
    {%- endif -%}
{%- endmacro %}

{% macro read_segments(relation) -%}
    {#- The table that segmentation writes beside the marts, none of it before the first time. -#}
    {%- if not execute or '__dbt__cte__' in relation | string or load_relation(relation) is not none -%}
        {{ relation }}
    {%- else -%}
        {{ empty_relation(source_columns('segmentation', 'user_segments')) }}
    {%- endif -%}
{%- endmacro %}

{% macro live_parts() -%}{{ return(adapter.dispatch('live_parts')(home_folder() ~ '/events')) }}{%- endmacro %}

{% macro duckdb__live_parts(folder) -%}
    {%- set found = run_query("select count(*) from glob('" ~ folder ~ "/manifest.jsonl')").columns[0].values()[0] if execute else 0 -%}
    {%- if found > 0 -%}
        (
            select *, '{{ folder }}/' || path as part_path
            from read_json('{{ folder }}/manifest.jsonl', format = 'newline_delimited', ignore_errors = true, columns = {
                part_id: 'varchar', path: 'varchar', rows: 'bigint', replaces: 'varchar[]'
            })
        )
    {%- else -%}
        (select null::varchar as part_id, null::varchar as part_path, 0 as rows, null::varchar[] as replaces where false)
    {%- endif -%}
{%- endmacro %}

{% macro spark__live_parts(folder) -%}
    (
        select part.*, concat('{{ folder }}/', part.path) as part_path
        from (
            select from_json(value, 'part_id string, path string, rows bigint, replaces array<string>') as part
            from text.`{{ folder }}/manifest.jsonl`
        )
    )
{%- endmacro %}

{% macro source_columns(source_name, table_name) -%}
    {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
        {{ return(node.columns.values() | list) }}
    {%- endfor -%}
{%- endmacro %}

{% macro empty_relation(columns) -%}
    (
        select
            {% for column in columns -%}
            cast(null as {{ type_of(column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
            {% endfor -%}
        where false
    )
{%- endmacro %}
