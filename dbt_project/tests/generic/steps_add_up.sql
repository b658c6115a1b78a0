{#- At every step of a funnel, who entered it went on or dropped out; who went on entered the next step, and nobody drops out
    at the last. `by` names the columns that divide a funnel. -#}
{% test steps_add_up(model, by) %}

with steps as (

    select
        *,
        lead(entered) over (partition by {{ by | join(', ') }} order by step_number) as entered_next,
        case funnel
            {% for name, funnel in var('funnels').items() -%}
            when '{{ name }}' then {{ funnel.steps | length }}
            {% endfor -%}
        end as steps
    from {{ model }}

)

select * from steps
where
    entered <> converted + dropped
    or (step_number = steps and dropped <> 0)
    or (step_number < steps and converted <> coalesce(entered_next, 0))

{% endtest %}
