with passages as (

    select * from {{ ref('int_funnel_passages') }}

),

sessions as (

    select
        session_key,
        device_type,
        country
    from {{ ref('sessions') }}

)

select
    passages.funnel,
    passages.step_number,
    passages.step,
    passages.date,
    coalesce(sessions.device_type, 'other') as device_type,
    coalesce(sessions.country, '') as country,
    {{ funnel_measures('passages') }}
from passages
left join sessions on passages.session_key = sessions.session_key
group by all
