{# Rows that a unit test gives. dbt's own macro selects each of them with all columns of its model, and Spark takes minutes
   to analyse so many queries; there the rows are one inline table. #}

{% macro get_fixture_sql(rows, column_name_to_data_types) -%}
    {%- if target.type != 'spark' or not rows -%}
    {{ return(dbt.get_fixture_sql(rows, column_name_to_data_types)) }}
    {%- endif -%}
    {%- set column_types = column_name_to_data_types or {} -%}
    {%- if not column_types -%}
        {%- for column in adapter.get_columns_in_relation(this) -%}
            {%- do column_types.update({column.name | lower: column.data_type}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(spark__inline_table(rows, column_types)) }}
{%- endmacro %}

{% macro spark__inline_table(rows, column_types) -%}
    {%- set given = [] -%}
    {%- for name in column_types -%}
        {%- for row in rows if name in row and name not in given -%}{%- do given.append(name) -%}{%- endfor -%}
    {%- endfor -%}
    select
        {% for name, type in column_types.items() -%}
        {{ 'given.' ~ name if name in given else 'cast(null as ' ~ type ~ ')' }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor -%}
    from (
        values
        {% for row in rows -%}
        {%- set cells = format_row(row, column_types) -%}
        (
            {%- for name in given -%}
            {{ cells.get(name, 'cast(null as ' ~ column_types[name] ~ ')') | trim }}{{ ', ' if not loop.last }}
            {%- endfor -%}
        ){{ ',' if not loop.last }}
        {% endfor -%}
    ) as given ({{ given | join(', ') }})
{%- endmacro %}
