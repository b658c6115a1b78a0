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
                min_by(session_key, {{ pair_of(element_of('taken_at', 1), 'session_key') }}) filter (where step = '{{ funnel.steps[0] }}') as session_key,
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

{% macro funnel_measures(passages) -%}
    count(*) as entered,
    count({{ passages }}.next_reached_at) as converted,
    count(*) - count({{ passages }}.next_reached_at) as dropped,
    {#- Whole numbers add up to the same in any order. #}
    round(avg({{ epoch_micros(passages ~ '.next_reached_at') }} - {{ epoch_micros(passages ~ '.reached_at') }}) / 1000000, 3) as seconds_to_next
{%- endmacro %}
