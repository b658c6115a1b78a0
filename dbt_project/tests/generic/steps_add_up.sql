{#- At every step of a funnel, who entered it went on or dropped out; who went on entered the next step, and nobody drops out
    at the last. `by` names the columns that divide a funnel. -#}
{% test steps_add_up(model, by) %}

with steps as (

    select
        *,
        lead(entered) over (partition by {{ by | join(', ') }} order by step_number) as entered_next
    from {{ model }}

),

counted as (

    select distinct
        funnel,
        counted_steps
    from {{ ref('funnel_steps') }}

)

select steps.* from steps
left join counted on steps.funnel = counted.funnel
where
    counted.counted_steps is null
    or steps.entered <> steps.converted + steps.dropped
    or (steps.step_number = counted.counted_steps and steps.dropped <> 0)
    or (steps.step_number < counted.counted_steps and steps.converted <> coalesce(steps.entered_next, 0))

{% endtest %}
