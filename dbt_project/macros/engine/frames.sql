{# Frames as of a moment: the models in `models/training`. On DuckDB each is a table function of `as_of`. Spark has no table
   function whose parameter can stand inside an aggregate, so there a frame is a view as of the moment that the only row of
   the table training_moment holds. Without such a row a frame is empty. #}

{% macro frame_moment() -%}
    {{ return(adapter.dispatch('frame_moment')()) }}
{%- endmacro %}
{% macro duckdb__frame_moment() -%}as_of{%- endmacro %}
{% macro spark__frame_moment() -%}(select max(as_of) from {{ relation_of_moment() }}){%- endmacro %}

{% macro relation_of_moment() -%}
    {{ return(api.Relation.create(schema=target.schema, identifier='training_moment')) }}
{%- endmacro %}

{% macro set_training_moment(as_of) -%}
    {#- dbt run-operation set_training_moment --args '{as_of: "2026-03-01 00:00:00"}': frames on Spark stand as of then, UTC. -#}
    {%- do run_query('insert overwrite ' ~ relation_of_moment() ~ " select timestamp '" ~ as_of ~ "'") -%}
{%- endmacro %}

{% materialization table_function, adapter='spark' -%}
    {{ return(create_or_replace_view()) }}
{%- endmaterialization %}
