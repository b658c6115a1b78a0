{# A model that is deleted or renamed leaves its table behind, and old rows about people with it. The names that the
   project ever built stand in `state.models`; those that no model bears any more are dropped. Tables of Python and of
   other programs were never there. #}

{% macro drop_orphans() %}
    {%- if execute and target.type == 'duckdb' -%}
        {%- set names = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | map(attribute='name') | sort -%}
        {%- for name in paths_of("select name from state.models where name not in (" ~ text_list(names) ~ ") order by 1") -%}
            {%- set orphan = load_relation(api.Relation.create(database=target.database, schema=target.schema, identifier=name)) -%}
            {%- if orphan is not none -%}{%- do adapter.drop_relation(orphan) -%}{%- endif -%}
        {%- endfor -%}
        delete from state.models;
        insert into state.models select unnest({{ names | tojson | replace('"', "'") }})
    {%- endif -%}
{% endmacro %}
