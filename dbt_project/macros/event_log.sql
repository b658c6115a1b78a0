{# What the log's manifest names: sealed parts that no other part replaces. #}

{% macro home_folder() -%}
    {{ return(env_var('TESSERA_HOME', '../.tessera')) }}
{%- endmacro %}

{% macro read_events(relation) -%}
    {#- The events of every live part. `relation` is the source, which keeps the lineage and is what a unit test replaces. -#}
    {%- if '__dbt__cte__' in relation | string or not execute -%}
        {{ relation }}
    {%- else -%}
        {%- set paths = live_part_paths() -%}
        {%- if paths -%}
            {{ parquet_files(paths) }}
        {%- else -%}
            {{ empty_relation(source_columns('event_log', 'events')) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro read_items(relation) -%}
    {%- if '__dbt__cte__' in relation | string or not execute -%}
        {{ relation }}
    {%- else -%}
        {%- set found = run_query("select count(*) from glob('" ~ home_folder() ~ "/catalogue/items/*.parquet')") -%}
        {%- if found.columns[0].values()[0] > 0 -%}
            {{ parquet_files([home_folder() ~ '/catalogue/items/*.parquet']) }}
        {%- else -%}
            {{ empty_relation(source_columns('catalogue', 'items')) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro live_part_paths() -%}
    {%- set manifest = home_folder() ~ '/events/manifest.jsonl' -%}
    {%- set exists = run_query("select count(*) from glob('" ~ manifest ~ "')").columns[0].values()[0] > 0 -%}
    {%- if not exists -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        with sealed as (
            select * from read_json('{{ manifest }}', format = 'newline_delimited', ignore_errors = true, columns = {
                part_id: 'varchar', path: 'varchar', rows: 'bigint', replaces: 'varchar[]'
            })
        )

        select path from sealed
        where rows > 0 and part_id not in (select unnest(replaces) from sealed where replaces is not null)
        order by path
    {%- endset -%}
    {%- set paths = [] -%}
    {%- for path in run_query(query).columns[0].values() -%}
        {%- do paths.append(home_folder() ~ '/events/' ~ path) -%}
    {%- endfor -%}
    {{ return(paths) }}
{%- endmacro %}

{% macro parquet_files(paths) -%}
    read_parquet([{% for path in paths %}'{{ path }}'{{ ', ' if not loop.last }}{% endfor %}])
{%- endmacro %}

{% macro source_columns(source_name, table_name) -%}
    {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
        {{ return(node.columns.values() | list) }}
    {%- endfor -%}
{%- endmacro %}

{% macro empty_relation(columns) -%}
    (select {% for column in columns %}cast(null as {{ column.data_type }}) as {{ column.name }}{{ ', ' if not loop.last }}{% endfor %} where false)
{%- endmacro %}
