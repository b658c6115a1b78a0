{#- A view: people state something seldom, and only audiences and analysts ask for it. -#}
{{ config(materialized='view') }}

with events as (

    select * from {{ ref('int_events_sessionized') }}

),

statements as (

    select
        person_id as user_id,
        {{ moment_of('occurred_at', 'event_id') }} as moment,
        try(json_extract(properties, '$.interests')) as interests,
        try(json_extract(properties, '$.muted')) as muted,
        try(json_extract(properties, '$.opt_out')) as opt_out,
        try(json_extract(properties, '$.quiet_hours')) as quiet_hours
    from events
    where event_type = 'preference' and quarantine_reason is null and {{ counts_in_marts() }}

),

-- The values stay JSON here: what somebody took back is the JSON null, which is newer than what was said before. A property
-- that the statement does not name is the null of SQL and changes nothing.
latest_statements as (

    select
        user_id,
        cast(max_by(interests, case when interests is not null then moment end) as varchar) as interests,
        cast(max_by(muted, case when muted is not null then moment end) as varchar) as muted,
        cast(max_by(opt_out, case when opt_out is not null then moment end) as varchar) as opt_out,
        cast(max_by(quiet_hours, case when quiet_hours is not null then moment end) as varchar) as quiet_hours
    from statements
    group by user_id

),

preferences as (

    select
        user_id,
        try_cast(nullif(interests, 'null') as varchar[]) as interests,
        try_cast(nullif(muted, 'null') as varchar[]) as muted,
        coalesce(opt_out, 'false') = 'true' as is_opted_out,
        {{ number_within(json_text('quiet_hours', 'from'), 0, 24) }} as quiet_from_hour,
        {{ number_within(json_text('quiet_hours', 'to'), 0, 24) }} as quiet_until_hour
    from latest_statements

)

select * from preferences
