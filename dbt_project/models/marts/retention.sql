{#- A view: one visitor moves the figures of a whole cohort, and only reports ask for them. -#}
{{ config(materialized='view') }}

with activity as (

    select
        user_id,
        date
    from {{ ref('user_days') }}

),

cohorts as (

    select
        user_id,
        date_trunc('week', min(date)) as cohort_week
    from activity
    group by user_id

),

returns as (

    select distinct
        cohorts.cohort_week,
        activity.user_id,
        date_diff('week', cohorts.cohort_week, date_trunc('week', activity.date)) as week_number
    from activity
    inner join cohorts on activity.user_id = cohorts.user_id

),

sizes as (

    select
        cohort_week,
        count(*) as cohort_users
    from cohorts
    group by cohort_week

),

counted as (

    select
        cohort_week,
        week_number,
        count(*) as active_users
    from returns
    group by cohort_week, week_number

)

select
    counted.cohort_week,
    counted.week_number,
    sizes.cohort_users,
    counted.active_users,
    round(counted.active_users / sizes.cohort_users, 6) as retention
from counted
inner join sizes on counted.cohort_week = sizes.cohort_week
