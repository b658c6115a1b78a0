{# Funnels as the setting `funnels` defines them: name → per (session or user), window_hours, steps. A step is an event
   type, or `type:pattern` where the address of the page has to be like the pattern. #}

{% macro funnel_step_conditions() -%}
    {#- Step → the condition that its events meet. Steps with a pattern come first: an event is the first step whose
        condition it meets. -#}
    {%- set with_pattern, without_pattern = {}, {} -%}
    {%- for funnel in var('funnels').values() -%}
        {%- for step in funnel.steps -%}
            {%- if ':' in step -%}
                {%- set event_type, pattern = step.split(':', 1) -%}
                {%- do with_pattern.update({step: "event_type = '" ~ event_type ~ "' and page_url like '" ~ pattern ~ "'"}) -%}
            {%- else -%}
                {%- do without_pattern.update({step: "event_type = '" ~ step ~ "'"}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do with_pattern.update(without_pattern) -%}
    {{ return(with_pattern) }}
{%- endmacro %}

{% macro funnel_event_types() -%}
    {%- set types = [] -%}
    {%- for step in funnel_step_conditions() if step.split(':', 1)[0] not in types -%}
        {%- do types.append(step.split(':', 1)[0]) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro %}

{% macro funnels_per(unit) -%}
    {#- The funnels that go by sessions, or those that go by users. -#}
    {%- set funnels = {} -%}
    {%- for name, funnel in var('funnels').items() if funnel.per == unit -%}{%- do funnels.update({name: funnel}) -%}{%- endfor -%}
    {{ return(funnels) }}
{%- endmacro %}

{% macro funnel_entries(name, funnel, steps) -%}
    {#- One row per session or user that entered the funnel, with its first session and the time of each step: the first
        after the step before it, inside the window. `steps` names a relation with the columns of int_funnel_steps. -#}
    {%- set unit = 'session_key' if funnel.per == 'session' else 'user_id' -%}
    {%- set reached = [] -%}
    {%- for step in funnel.steps -%}{%- do reached.append('at_' ~ loop.index) -%}{%- endfor -%}
select
    '{{ name }}' as funnel,
    session_key,
    user_id,
    {{ list_of(reached) }} as reached_at
from (
    select
        *,
        {{ smallest_of('times_1') }} as at_1,
        {% for step in funnel.steps[1:] -%}
        {{ first_within('times_' ~ (loop.index + 1), 'at_' ~ loop.index, 'at_1 + interval ' ~ funnel.window_hours ~ ' hour') }}
            as at_{{ loop.index + 1 }}{{ ',' if not loop.last }}
        {% endfor -%}
    from (
        select
            {% if funnel.per == 'session' -%}
            session_key,
            {% else -%}
            min_by(session_key, {{ pair_of(element_of('taken_at', 1), 'session_key') }})
                filter (where step = '{{ funnel.steps[0] }}') as session_key,
            {% endif -%}
            {% for step in funnel.steps -%}
            {{ joined_lists('taken_at', "step = '" ~ step ~ "'") }} as times_{{ loop.index }},
            {% endfor -%}
            min(user_id) as user_id
        from {{ steps }}
        group by {{ unit }}
    ) as units
    where {{ smallest_of('times_1') }} is not null
) as entered
{%- endmacro %}

{% macro funnel_passages(steps, unit) -%}
    {#- One row per funnel, session or user, and step taken. -#}
    {%- set funnels = funnels_per(unit) -%}
    {%- if not funnels -%}
select
    cast(null as {{ type_of('varchar') }}) as funnel,
    cast(null as bigint) as step_number,
    step,
    session_key,
    user_id,
    cast(null as date) as date,
    cast(null as timestamp) as reached_at,
    cast(null as timestamp) as next_reached_at
from {{ steps }}
where false
    {%- else -%}
with entries as (

    {% for name, funnel in funnels.items() -%}
    {{ funnel_entries(name, funnel, steps) }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}

),

step_names as (

    {% for name, funnel in funnels.items() -%}
    {%- set last_funnel = loop.last -%}
    {% for step in funnel.steps -%}
    select '{{ name }}' as funnel, {{ loop.index }} as step_number, '{{ step }}' as step
    {{ 'union all' if not (loop.last and last_funnel) }}
    {% endfor -%}
    {% endfor -%}

),

passages as (

    select
        entries.funnel,
        cast(step_names.step_number as bigint) as step_number,
        step_names.step,
        entries.session_key,
        entries.user_id,
        cast({{ element_of('entries.reached_at', 1) }} as date) as date,
        {{ element_of('entries.reached_at', 'step_names.step_number') }} as reached_at,
        {{ element_of('entries.reached_at', 'step_names.step_number + 1') }} as next_reached_at
    from entries
    inner join step_names on entries.funnel = step_names.funnel
    where {{ element_of('entries.reached_at', 'step_names.step_number') }} is not null

)

select * from passages
    {%- endif -%}
{%- endmacro %}

{% macro funnel_measures() -%}
    count(*) as entered,
    count(next_reached_at) as converted,
    count(*) - count(next_reached_at) as dropped,
    -- the average is taken of whole numbers, which add up to the same in any order
    round(avg({{ epoch_micros('next_reached_at') }} - {{ epoch_micros('reached_at') }}) / 1000000, 3) as seconds_to_next
{%- endmacro %}
