{#- Every column that its name calls a rate or a share lies between 0 and 1, and so do the values of such a map. A column
    whose meta says what it counts `per` is no share. The columns are those of the contract, so that new ones are covered. -#}
{% test rates_are_shares(model) %}

{%- set node = graph.nodes.values() | selectattr('name', 'equalto', model.identifier) | first if execute else {'columns': {}} -%}
{%- set name_of_share = '(^|_)(rate|share|shares|ctr|affinities|frequency|retention)(_low|_high)?$' -%}
{%- for column in node.columns.values() if modules.re.search(name_of_share, column.name) %}
{%- set is_map = column.data_type.startswith('map') %}
{%- if (is_map or column.data_type == 'double') and not column.meta.get('per') %}
select
    '{{ column.name }}' as share,
    value
from (
    select {{ 'unnest(map_values(' ~ column.name ~ '))' if is_map else column.name }} as value
    from {{ model }}
) as shares
where not (value between 0 and 1)
union all
{%- endif %}
{%- endfor %}
select
    null as share,
    null as value
where false

{% endtest %}
