{# Funnels as the setting `funnels` defines them: name → per (session or user), window_hours, steps. A step is an event
   type, or `type:pattern` where the pattern has to match the page's address (SQL's %). #}

{% macro funnel_step_conditions() -%}
    {#- Narrower steps come first: an event is the first step whose condition it meets. -#}
    {%- set narrow, wide = {}, {} -%}
    {%- for funnel in var('funnels').values() -%}
        {%- for step in funnel.steps -%}
            {%- if ':' in step -%}
                {%- do narrow.update({step: "event_type = '" ~ step.split(':', 1)[0] ~ "' and page_url like '" ~ step.split(':', 1)[1] ~ "'"}) -%}
            {%- else -%}
                {%- do wide.update({step: "event_type = '" ~ step ~ "'"}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do narrow.update(wide) -%}
    {{ return(narrow) }}
{%- endmacro %}

{% macro funnel_event_types() -%}
    {%- set types = [] -%}
    {%- for step in funnel_step_conditions() if step.split(':', 1)[0] not in types -%}
        {%- do types.append(step.split(':', 1)[0]) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro %}

{% macro funnel_passages(name, funnel) -%}
    {#- One row per person or session that entered, with its first session and the moment of each step: the first after the step before, inside the window. -#}
    {%- set unit = 'session_key' if funnel.per == 'session' else 'user_id' -%}
    {%- set reached = [] -%}
    {%- for step in funnel.steps -%}{%- do reached.append('at_' ~ loop.index) -%}{%- endfor %}
    select
        '{{ name }}' as funnel,
        session_key,
        user_id,
        {{ list_of(reached) }} as reached_at
    from (
        select
            *,
            {{ smallest_of('times_1') }} as at_1
            {%- for step in funnel.steps[1:] %},
            {{ first_within('times_' ~ (loop.index + 1), 'at_' ~ loop.index, 'at_1 + interval ' ~ funnel.window_hours ~ ' hour') }} as at_{{ loop.index + 1 }}
            {%- endfor %}
        from (
            select
                {% if funnel.per == 'session' -%}
                session_key,
                {%- else -%}
                min_by(session_key, {{ pair_of(element_of('taken_at', 1), 'session_key') }}) filter (where step = '{{ funnel.steps[0] }}') as session_key,
                {%- endif %}
                min(user_id) as user_id
                {%- for step in funnel.steps %},
                {{ joined_lists('taken_at', "step = '" ~ step ~ "'") }} as times_{{ loop.index }}
                {%- endfor %}
            from steps
            group by {{ unit }}
        )
        where {{ smallest_of('times_1') }} is not null
    )
{%- endmacro %}

{% macro passages_from(steps, per) -%}
    {#- One row per step taken of the funnels that go by sessions, or of those that go by users. -#}
    {%- set funnels = {} -%}
    {%- for name, funnel in var('funnels').items() if funnel.per == per -%}{%- do funnels.update({name: funnel}) -%}{%- endfor %}
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
    from {{ steps }} as steps
    where false
    {%- else -%}
    with steps as (

        select * from {{ steps }} as steps

    ),

    passages as (

        {% for name, funnel in funnels.items() -%}
        {{ funnel_passages(name, funnel) }}
        {{ 'union all' if not loop.last }}
        {% endfor -%}

    ),

    names as (

        {% for name, funnel in funnels.items() -%}
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
    {%- endif -%}
{%- endmacro %}

{% macro funnel_measures(passages) -%}
    count(*) as entered,
    count({{ passages }}.next_reached_at) as converted,
    count(*) - count({{ passages }}.next_reached_at) as dropped,
    {#- Whole numbers add up to the same in any order. #}
    round(avg({{ epoch_micros(passages ~ '.next_reached_at') }} - {{ epoch_micros(passages ~ '.reached_at') }}) / 1000000, 3) as seconds_to_next
{%- endmacro %}
