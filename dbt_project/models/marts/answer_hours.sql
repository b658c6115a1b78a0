{#- A view: only monitoring asks for it, and only for the days that it watches. -#}
{{ config(materialized='view') }}

with events as (

    select
        event_id,
        recommendation_id,
        event_type,
        user_id,
        occurred_at,
        received_at,
        case when event_type = 'served' then properties end as properties
    from {{ ref('stg_events') }}
    where
        event_type in ('served', 'click')
        and quarantine_reason is null
        and coalesce(device_type, 'other') <> 'bot'
        and occurred_at > {{ watch_begins() }}

),

numbered_answers as (

    select
        *,
        row_number() over (partition by recommendation_id order by {{ order_of_answers() }}) as copy_number
    from events
    where event_type = 'served'

),

clicked_answers as (

    select distinct recommendation_id
    from events
    where event_type = 'click'

),

answers as (

    select
        date_trunc('hour', answers.occurred_at) as hour,
        coalesce({{ json_text('answers.properties', 'slot') }}, '') as slot,
        coalesce({{ json_text('answers.properties', 'model_version') }}, '') as model_version,
        {{ audience_of('answers.user_id') }} as audience,
        clicked_answers.recommendation_id is not null as is_clicked
    from numbered_answers as answers
    left join clicked_answers on answers.recommendation_id = clicked_answers.recommendation_id
    where answers.copy_number = 1

),

answer_hours as (

    select
        hour,
        slot,
        model_version,
        audience,
        count(*) as answers,
        count(case when is_clicked then 1 end) as clicked_answers
    from answers
    group by hour, slot, model_version, audience

)

select * from answer_hours
