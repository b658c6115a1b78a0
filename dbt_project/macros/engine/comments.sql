{# Comments: what the contracts say of tables and columns, kept in the tables themselves. #}

{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {#- One statement for a table and its columns. dbt's own macro asks twice which columns the table has; an enforced
        contract has compared them already. -#}
    {%- set comments -%}
        {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {{ alter_relation_comment(relation, model.description) }}
        {%- endif -%}
        {%- if for_columns and config.persist_column_docs() and model.columns -%}
            {%- set columns = model.columns -%}
            {%- if not model.config.contract.enforced -%}
                {%- set existing = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
                {%- set columns = validate_doc_columns(relation, columns, existing) -%}
            {%- endif -%}
            {%- for column in columns.values() %}
    comment on column {{ relation }}.{{ adapter.quote(column.name) if column.quote else column.name }}
    is {{ duckdb_escape_comment(column.description) }};
            {%- endfor -%}
        {%- endif -%}
    {%- endset -%}
    {%- if comments | trim -%}{%- do run_query(comments) -%}{%- endif -%}
{%- endmacro %}
