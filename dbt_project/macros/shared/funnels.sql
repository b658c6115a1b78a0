{# Funnels as the setting `funnels` defines them: name → per (session or user), window_hours, steps. A step is an event
   type; `type@page`, where the address of the page up to a question mark has to be that one; `type#element`, where it has
   to happen on that element; or `type:pattern`, where the address has to be like the pattern. A step whose type the site
   has never sent is left out: the steps after it would count nobody, whatever people did. #}

{% macro parts_of_step(step) -%}
    {#- Event type, sign and what follows the sign; both are empty for a step that is any event of the type. -#}
    {%- set parts = modules.re.match('((?:custom:)?[^:@#]+)([:@#]?)(.*)', step) -%}
    {{ return((parts.group(1), parts.group(2), parts.group(3))) }}
{%- endmacro %}

{% macro funnel_step_conditions() -%}
    {#- Step → the condition that its events meet. An event may meet those of several steps. -#}
    {%- set conditions = {} -%}
    {%- for funnel in var('funnels').values() -%}
        {%- for step in funnel.steps -%}
            {%- set event_type, sign, place = parts_of_step(step) -%}
            {%- set of_type = "event_type = '" ~ event_type ~ "'" -%}
            {%- if sign == '@' -%}
                {%- do conditions.update({step: of_type ~ " and split_part(page_key, '?', 1) = '" ~ place ~ "'"}) -%}
            {%- elif sign == '#' -%}
                {%- do conditions.update({step: of_type ~ ' and ' ~ json_text('properties', 'element') ~ " = '" ~ place ~ "'"}) -%}
            {%- elif sign == ':' -%}
                {%- do conditions.update({step: of_type ~ " and page_url like '" ~ place ~ "'"}) -%}
            {%- else -%}
                {%- do conditions.update({step: of_type}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(conditions) }}
{%- endmacro %}

{% macro steps_taken_by_event() -%}
    {#- In a select list: a row for each step whose condition an event meets, and possibly some with null. Where every step
        is a whole type, an event takes one. -#}
    {%- set cases, places = [], [] -%}
    {%- for step, condition in funnel_step_conditions().items() -%}
        {%- do cases.append('case when ' ~ condition ~ " then '" ~ step ~ "' end") -%}
        {%- if parts_of_step(step)[1] -%}{%- do places.append(step) -%}{%- endif -%}
    {%- endfor -%}
    {{ each_of(list_of(cases)) if places else 'event_type' }}
{%- endmacro %}

{% macro funnel_event_types() -%}
    {%- set types = [] -%}
    {%- for step in funnel_step_conditions() if parts_of_step(step)[0] not in types -%}
        {%- do types.append(parts_of_step(step)[0]) -%}
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
    {#- One row per session or user that entered the funnel, with the session of its first step and the time of each step:
        the first at or after the step before it, inside the window: clocks that count whole minutes give a view and the
        purchase after it one time. Any start opens a window; the one that counts is the first
        of those that lead furthest. `steps` names a relation like int_funnel_steps with the funnels and the numbers of the
        steps that are not left out; beyond the last of them nothing is taken. -#}
    {%- set unit = 'session_key' if funnel.per == 'session' else 'user_id' -%}
    {%- set window = 'interval ' ~ funnel.window_hours ~ ' hour' -%}
    {%- set reached = [] -%}
    {%- for step in funnel.steps -%}{%- do reached.append('at_' ~ loop.index) -%}{%- endfor -%}
select
    '{{ name }}' as funnel,
    {{ 'entered' if funnel.per == 'session' else 'starts' }}.session_key,
    entered.user_id,
    {{ list_of(reached) }} as reached_at
from (
    select
        *,
        {% for step in funnel.steps[1:] -%}
        {{ first_within('times_' ~ (loop.index + 1), 'at_' ~ loop.index ~ ' - interval 1 microsecond', 'at_1 + ' ~ window) }}
            as at_{{ loop.index + 1 }}{{ ',' if not loop.last }}
        {% endfor -%}
    from (
        select
            units.*,
            coalesce(
                {{ first_within('times_1', 'ends.ended_at - ' ~ window ~ ' - interval 1 microsecond', 'ends.ended_at') }},
                {{ smallest_of('times_1') }}
            ) as at_1
        from (
            select
                {{ unit }},
                {% for step in funnel.steps -%}
                {{ joined_lists('taken_at', 'step_number = ' ~ loop.index) }} as times_{{ loop.index }},
                {% endfor -%}
                {{ 'min(user_id) as user_id' if funnel.per == 'session' else 'count(*) as sessions' }}
            from {{ steps }}
            where funnel = '{{ name }}'
            group by {{ unit }}
        ) as units
        left join ({{ funnel_ends(name, funnel, steps, unit) }}) as ends on units.{{ unit }} = ends.{{ unit }}
        where {{ smallest_of('times_1') }} is not null
    ) as started
) as entered
{% if funnel.per == 'user' -%}
inner join (
    select
        user_id,
        taken_at,
        min(session_key) as session_key
    from (
        select
            user_id,
            session_key,
            {{ each_of('taken_at') }} as taken_at
        from {{ steps }}
        where funnel = '{{ name }}' and step_number = 1
    ) as first_steps
    group by user_id, taken_at
) as starts on entered.user_id = starts.user_id and entered.at_1 = starts.taken_at
{%- endif %}
{%- endmacro %}

{% macro funnel_ends(name, funnel, steps, unit) -%}
    {#- When each session or user that took the second step first got as far as it ever got. Of the starts that lead to a
        step in order, the latest leaves most of the window, so that it decides whether the step lies inside: `start_n` is
        that start, in microseconds, in the rows of the step n. -#}
    {%- set window = funnel.window_hours * 3600000000 -%}
select
    {{ unit }},
    coalesce(
        {% for step in funnel.steps[1:] | reverse -%}
        {%- set number = loop.revindex + 1 -%}
        min(case when step_number = {{ number }} and taken_micros - start_{{ number }} <= {{ window }} then taken_at end)
        {{- ',' if not loop.last }}
        {% endfor -%}
    ) as ended_at
from (
    {% for step in funnel.steps[1:] -%}
    select
        *,
        case when step_number = {{ loop.revindex + 1 }} then max(start_{{ loop.revindex }}) over (
            partition by {{ unit }} order by taken_micros range between unbounded preceding and current row
        ) end as start_{{ loop.revindex + 1 }}
    from (
    {% endfor -%}
        select
            *,
            {{ epoch_micros('taken_at') }} as taken_micros,
            case when step_number = 1 then {{ epoch_micros('taken_at') }} end as start_1
        from (
            select
                {{ unit }},
                step_number,
                {{ each_of('taken_at') }} as taken_at
            from {{ steps }}
            where
                funnel = '{{ name }}'
                and {{ unit }} in (
                    select {{ unit }} from {{ steps }}
                    where funnel = '{{ name }}' and step_number = 2
                )
        ) as taken
    {% for step in funnel.steps[1:] -%}
    ) as steps_{{ loop.index }}
    {% endfor -%}
) as ends
group by {{ unit }}
{%- endmacro %}

{% macro funnel_passages(steps, funnel_steps, unit) -%}
    {#- One row per funnel, session or user, and step taken. `steps` and `funnel_steps` name relations with the columns of
        int_funnel_steps and of funnel_steps. -#}
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
    cast(null as timestamp) as next_reached_at,
    false as is_last
from {{ steps }}
where false
    {%- else -%}
with step_names as (

    select
        funnel,
        step_number,
        step,
        step_number = counted_steps as is_last
    from {{ funnel_steps }}
    where step_number is not null and funnel in ({{ text_list(funnels) }})

),

numbered_steps as (

    select
        step_names.funnel,
        step_names.step_number,
        steps.session_key,
        steps.user_id,
        steps.taken_at
    from {{ steps }} as steps
    inner join step_names on steps.step = step_names.step

),

entries as (

    {% for name, funnel in funnels.items() -%}
    {{ funnel_entries(name, funnel, 'numbered_steps') }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}

),

passages as (

    select
        entries.funnel,
        step_names.step_number,
        step_names.step,
        entries.session_key,
        entries.user_id,
        {{ site_date(element_of('entries.reached_at', 1)) }} as date,
        {{ element_of('entries.reached_at', 'step_names.step_number') }} as reached_at,
        {{ element_of('entries.reached_at', 'step_names.step_number + 1') }} as next_reached_at,
        step_names.is_last
    from entries
    inner join step_names on entries.funnel = step_names.funnel
    where {{ element_of('entries.reached_at', 'step_names.step_number') }} is not null

)

select * from passages
    {%- endif -%}
{%- endmacro %}

{% macro funnel_measures() -%}
    {#- Who took the last step has gone through, and nobody drops out there. -#}
    count(*) as entered,
    count(case when is_last or next_reached_at is not null then 1 end) as converted,
    count(case when not is_last and next_reached_at is null then 1 end) as dropped,
    -- the average is taken of whole numbers, which add up to the same in any order
    {%- set micros_to_next = epoch_micros('next_reached_at') ~ ' - ' ~ epoch_micros('reached_at') %}
    {{ rounded('avg(' ~ micros_to_next ~ ') / 1000000', 3) }} as seconds_to_next
{%- endmacro %}
