with passages as (

    select * from {{ ref('int_funnel_passages') }}

),

sessions as (

    select
        session_key,
        device_type,
        country
    from {{ ref('sessions') }}

),

passages_with_context as (

    select
        passages.*,
        coalesce(sessions.device_type, 'other') as device_type,
        coalesce(sessions.country, '') as country
    from passages
    left join sessions on passages.session_key = sessions.session_key

),

funnels as (

    select
        funnel,
        step_number,
        step,
        date,
        device_type,
        country,
        {{ funnel_measures() }}
    from passages_with_context
    group by funnel, step_number, step, date, device_type, country

)

select * from funnels
