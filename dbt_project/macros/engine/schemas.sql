{# Schemas: marts stand in the schema of the target, where users look first; staging and intermediate models have schemas
   of their own. On Spark, where a schema is a database of a catalog that other programs share, all stand in one. #}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ return(custom_schema_name if custom_schema_name and target.type == 'duckdb' else target.schema) }}
{%- endmacro %}

{% macro relation_of(model_name) -%}
    {#- The table of a model, for where `ref` would make a cycle or the model may not be there yet. -#}
    {%- set schema = graph.nodes['model.' ~ project_name ~ '.' ~ model_name].schema if execute else target.schema -%}
    {{ return(api.Relation.create(database=target.database, schema=schema, identifier=model_name)) }}
{%- endmacro %}

{% macro name_with_schema(node) -%}
    {{ return(node.name if node.schema == target.schema else node.schema ~ '.' ~ node.name) }}
{%- endmacro %}

{% macro relation_by_name(name) -%}
    {#- The relation that is there under a name of `name_with_schema`; none if there is none. -#}
    {%- set parts = name.split('.') -%}
    {%- set schema = parts[0] if parts | length > 1 else target.schema -%}
    {{ return(adapter.get_relation(database=target.database, schema=schema, identifier=parts[-1])) }}
{%- endmacro %}
