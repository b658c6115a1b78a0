{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'funnel_users', 'keys': ['user_id']}
) }}

with steps as (

    select * from {{ ref('int_funnel_steps') }}
    {% if not rebuilds_all('int_funnel_passages', 'funnel_users') %}
    where user_id in {{ queued('funnel_users', 'user_id') }}
    {% endif %}

),

passages as (

    {% for name, funnel in var('funnels').items() -%}
    {{ funnel_passages(name, funnel) }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}

),

names as (

    {% for name, funnel in var('funnels').items() -%}
    {%- set outer = loop -%}
    {% for step in funnel.steps -%}
    select '{{ name }}' as funnel, {{ loop.index }} as step_number, '{{ step }}' as step
    {{ 'union all' if not (loop.last and outer.last) }}
    {% endfor -%}
    {% endfor -%}

)

select
    passages.funnel,
    cast(names.step_number as bigint) as step_number,
    names.step,
    passages.session_key,
    passages.user_id,
    cast({{ element_of('passages.reached_at', 1) }} as date) as date,
    {{ element_of('passages.reached_at', 'names.step_number') }} as reached_at,
    {{ element_of('passages.reached_at', 'names.step_number + 1') }} as next_reached_at
from passages
inner join names on passages.funnel = names.funnel
where {{ element_of('passages.reached_at', 'names.step_number') }} is not null
