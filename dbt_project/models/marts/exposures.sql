with control_events as (

    select * from {{ ref('int_control_events') }}

),

exposure_events as (

    select
        *,
        {{ pair_of('occurred_at', 'event_id') }} as moment
    from control_events
    where event_type = 'exposure' and experiment_id is not null and {{ counts_in_marts() }}

),

exposures as (

    select
        experiment_id,
        unit_type,
        unit_id,
        {{ earliest('user_id', 'moment') }} as user_id,
        variant,
        min(occurred_at) as first_exposed_at,
        max(occurred_at) as last_exposed_at,
        count(*) as exposures,
        {{ earliest('segment', 'moment') }} as segment,
        {{ earliest('device_type', 'moment') }} as device_type,
        {{ earliest('country', 'moment') }} as country
    from exposure_events
    group by experiment_id, unit_type, unit_id, variant

)

select * from exposures
