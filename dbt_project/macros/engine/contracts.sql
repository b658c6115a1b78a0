{# Contracts name the types of DuckDB; other engines compare a model with the types that they have for these. #}

{% macro spark__get_empty_schema_sql(contract_columns) -%}
    {%- set nulls = [] -%}
    {%- for column in contract_columns.values() -%}
        {%- do nulls.append('cast(null as ' ~ type_of(column.data_type) ~ ') as ' ~ column.name) -%}
    {%- endfor -%}
    select {{ nulls | join(', ') }}
{%- endmacro %}
