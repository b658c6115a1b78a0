with control_events as (

    select * from {{ ref('int_control_events') }}

),

exposure_events as (

    select
        *,
        row(occurred_at, event_id) as moment
    from control_events
    where event_type = 'exposure' and experiment_id is not null and {{ counts_in_marts() }}

),

exposures as (

    select
        experiment_id,
        unit_type,
        unit_id,
        min_by(user_id, moment) as user_id,
        variant,
        min(occurred_at) as first_exposed_at,
        max(occurred_at) as last_exposed_at,
        count(*) as exposures,
        min_by(segment, case when segment is not null then moment end) as segment,
        min_by(device_type, case when device_type is not null then moment end) as device_type,
        min_by(country, case when country is not null then moment end) as country
    from exposure_events
    group by experiment_id, unit_type, unit_id, variant

)

select * from exposures
