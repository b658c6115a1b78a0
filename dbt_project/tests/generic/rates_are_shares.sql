{#- Every column that its name calls a rate or a share lies between 0 and 1, and so do the values of such a map. A column
    whose meta says what it counts `per` is no share. The columns are those of the contract, so that new ones are covered. -#}
{% test rates_are_shares(model) %}

{%- set name_of_share = '(^|_)(rate|share|shares|ctr|affinities|frequency|retention)(_low|_high)?$' -%}
{%- set table = (model | string).split('.')[-1].replace('"', '') -%}
{%- set columns = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == table -%}
        {%- for column in node.columns.values() if modules.re.search(name_of_share, column.name) -%}
            {%- if column.data_type != 'bigint' and not column.meta.get('per') -%}{%- do columns.append(column) -%}{%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif -%}
{%- for column in columns %}
select
    '{{ column.name }}' as share,
    value
from (
    select {{ each_of('map_values(' ~ column.name ~ ')') if column.data_type.startswith('map') else column.name }} as value
    from {{ model }}
) as shares
where not (value between 0 and 1)
union all
{%- endfor %}
select
    null as share,
    null as value
where false

{% endtest %}
