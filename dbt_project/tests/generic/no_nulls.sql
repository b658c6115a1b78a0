{#- None of the columns is null anywhere. One test of all of a model's columns reads the model once, where a test of each takes
    dbt longer than the engine. The message of dbt tells how many rows fail and not why, so the engine raises an error that
    names the columns. -#}
{% test no_nulls(model, columns) %}

{%- set counts = [] -%}
{%- for column in columns -%}
    {%- set nulls = 'count(*) - count(' ~ column ~ ')' -%}
    {%- do counts.append('case when ' ~ nulls ~ " > 0 then '" ~ column ~ " in ' || (" ~ nulls ~ ") || ' rows' end") -%}
{%- endfor %}
with described as (

    select concat_ws(', ', {{ counts | join(', ') }}) as columns_with_nulls
    from {{ model }}

)

select columns_with_nulls from described
where case when columns_with_nulls <> '' then {{ raise_error("'null: ' || columns_with_nulls") }} end is not null

{% endtest %}
