{#- The steps of the settings' funnels, and which of them count. One whose event type the site has never sent is left out:
    nobody could come to the steps after it. A funnel needs two steps. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_funnel_steps',
    meta={'fills_queues': {'funnel_sessions': 'session_key', 'funnel_users': 'user_id'}}
) }}

with sent_types as (

    select distinct event_type from {{ ref('int_event_hours') }}
    where event_type in ({{ text_list(funnel_event_types()) }})

),

steps_taken as (

    select distinct step from {{ ref('int_funnel_steps') }}

),

defined_steps as (

    {% for name, funnel in var('funnels').items() -%}
    {%- set last_funnel = loop.last -%}
    {% for step in funnel.steps -%}
    select
        '{{ name }}' as funnel,
        {{ loop.index }} as place,
        '{{ step }}' as step,
        '{{ parts_of_step(step)[0] }}' as event_type
    {{ 'union all' if not (loop.last and last_funnel) }}
    {% endfor -%}
    {% endfor -%}

),

sent_steps as (

    select
        *,
        -- a bot alone may have taken a step, and counts if the settings say so
        event_type in (select event_type from sent_types) or step in (select step from steps_taken) as is_sent
    from defined_steps

),

numbered_steps as (

    select
        *,
        sum(case when is_sent then 1 else 0 end) over (
            partition by funnel order by place rows between unbounded preceding and current row
        ) as sent_until_here,
        sum(case when is_sent then 1 else 0 end) over (partition by funnel) as sent_in_all
    from sent_steps

),

funnel_steps as (

    select
        funnel,
        cast(place as bigint) as place,
        step,
        is_sent,
        cast(case when is_sent and sent_in_all >= 2 then sent_until_here end as bigint) as step_number,
        cast(case when sent_in_all >= 2 then sent_in_all else 0 end as bigint) as counted_steps
    from numbered_steps

)

select * from funnel_steps
