{# Orphans: the table of a model that was deleted, renamed or moved to another schema stays behind, and with it old rows
   about people. state.models holds the names that the project has built; those that no model has any more are dropped at
   the end of each run. Tables that Python or other programs wrote never stood there. #}

{% macro drop_orphans() -%}
    {%- if execute and target.type == 'duckdb' -%}
        {%- set names = [] -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
            {%- do names.append(name_with_schema(node)) -%}
        {%- endfor -%}
        {%- set deleted = 'select name from state.models where name not in (' ~ text_list(names) ~ ')' -%}
        {%- for name in values_of(deleted) -%}
            {%- set orphan = relation_by_name(name) -%}
            {%- if orphan is not none -%}{%- do adapter.drop_relation(orphan) -%}{%- endif -%}
        {%- endfor -%}
    delete from state.models;
    insert into state.models
    select unnest([{{ text_list(names | sort) }}]) as name
    {%- endif -%}
{%- endmacro %}
