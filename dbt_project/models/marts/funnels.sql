{%- set longest = var('funnels').values() | map(attribute='steps') | map('length') | max %}
with steps as (

    select * from {{ ref('int_funnel_steps') }}

),

sessions as (

    select session_key, device_type, country from {{ ref('sessions') }}

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

),

reached as (

    select
        passages.funnel,
        passages.unit,
        numbers.step_number,
        cast(passages.reached_at[1] as date) as date,
        coalesce(sessions.device_type, 'other') as device_type,
        coalesce(sessions.country, '') as country,
        passages.reached_at[numbers.step_number] as reached_at,
        passages.reached_at[numbers.step_number + 1] as next_reached_at
    from passages
    left join sessions on passages.session_key = sessions.session_key
    cross join (select unnest(range(1, {{ longest + 1 }})) as step_number) as numbers
    where passages.reached_at[numbers.step_number] is not null

)

select
    reached.funnel,
    reached.step_number,
    names.step,
    reached.date,
    reached.device_type,
    reached.country,
    count(*) as entered,
    count(reached.next_reached_at) as converted,
    count(*) - count(reached.next_reached_at) as dropped,
    round(avg({{ seconds_between('reached.reached_at', 'reached.next_reached_at') }}), 3) as seconds_to_next
from reached
inner join names on reached.funnel = names.funnel and reached.step_number = names.step_number
group by reached.funnel, reached.step_number, names.step, reached.date, reached.device_type, reached.country
