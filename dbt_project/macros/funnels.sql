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
    {#- One row per person or session that entered, with the moment of each step: the first after the step before, inside the window. -#}
    {%- set unit = 'session_key' if funnel.per == 'session' else 'user_id' -%}
    select
        '{{ name }}' as funnel,
        {{ unit }} as unit,
        session_key,
        user_id,
        [{% for step in funnel.steps %}at_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %}] as reached_at
    from (
        select
            *,
            list_min(times_1) as at_1
            {%- for step in funnel.steps[1:] %},
            list_min(list_filter(times_{{ loop.index + 1 }}, lambda t: t > at_{{ loop.index }} and t <= at_1 + interval {{ funnel.window_hours }} hour)) as at_{{ loop.index + 1 }}
            {%- endfor %}
        from (
            select
                {{ unit }},
                min(session_key) as session_key,
                min(user_id) as user_id
                {%- for step in funnel.steps %},
                flatten(coalesce(list(taken_at) filter (where step = '{{ step }}'), [])) as times_{{ loop.index }}
                {%- endfor %}
            from steps
            group by {{ unit }}
        )
        where len(times_1) > 0
    )
{%- endmacro %}
