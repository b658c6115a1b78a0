{#- When each session took each kind of step that some funnel of the settings asks for. -#}
{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    pre_hook="{{ enqueue_everything('funnel_users') }}",
    meta={'reads_queue': 'sessions', 'keys': ['session_key'], 'queues': {'funnel_users': 'user_id'}}
) }}
{%- set steps = funnel_step_conditions() %}

with events as (

    select
        session_key,
        person_id,
        occurred_at,
        case
            {% for step, condition in steps.items() -%}
            when {{ condition }} then '{{ step }}'
            {% endfor -%}
        end as step
    from {{ session_events() }} as events
    where {{ counts_in_marts() }} and event_type in ({{ text_list(funnel_event_types()) }})

)

select
    session_key,
    person_id as user_id,
    step,
    {{ sorted_list('occurred_at') }} as taken_at
from events
where step is not null
group by session_key, person_id, step
