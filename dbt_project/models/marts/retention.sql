{#- A view: one visitor moves the figures of a whole cohort, and only reports ask for them. -#}
{{ config(materialized='view') }}

with user_days as (

    select
        user_id,
        date
    from {{ ref('user_days') }}

),

cohorts as (

    select
        user_id,
        {{ week_of('min(date)') }} as cohort_week
    from user_days
    group by user_id

),

cohort_sizes as (

    select
        cohort_week,
        count(*) as cohort_users
    from cohorts
    group by cohort_week

),

active_weeks as (

    select distinct
        cohorts.cohort_week,
        user_days.user_id,
        {{ weeks_between('cohorts.cohort_week', week_of('user_days.date')) }} as week_number
    from user_days
    inner join cohorts on user_days.user_id = cohorts.user_id

),

cohort_weeks as (

    select
        cohort_week,
        week_number,
        count(*) as active_users
    from active_weeks
    group by cohort_week, week_number

),

retention as (

    select
        cohort_weeks.cohort_week,
        cohort_weeks.week_number,
        cohort_sizes.cohort_users,
        cohort_weeks.active_users,
        {{ ratio('cohort_weeks.active_users', 'cohort_sizes.cohort_users') }} as retention
    from cohort_weeks
    inner join cohort_sizes on cohort_weeks.cohort_week = cohort_sizes.cohort_week

)

select * from retention
