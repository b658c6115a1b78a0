{#- A view: people state something seldom, and only audiences and analysts ask for it. -#}
{{ config(materialized='view') }}

with events as (

    select * from {{ ref('int_events_sessionized') }}

),

statements as (

    select
        person_id as user_id,
        {{ moment_of('occurred_at', 'event_id') }} as moment,
        {{ json_value('properties', 'interests') }} as interests,
        {{ json_value('properties', 'muted') }} as muted,
        {{ json_value('properties', 'opt_out') }} as opt_out,
        {{ json_value('properties', 'quiet_hours') }} as quiet_hours
    from events
    where event_type = 'preference' and quarantine_reason is null and {{ counts_in_marts() }}

),

-- The values stay JSON here: what somebody took back is the JSON null, which is newer than what was said before. A property
-- that the statement does not name is the null of SQL and changes nothing.
latest_statements as (

    select
        user_id,
        {{ latest('interests', 'moment') }} as interests,
        {{ latest('muted', 'moment') }} as muted,
        {{ latest('opt_out', 'moment') }} as opt_out,
        {{ latest('quiet_hours', 'moment') }} as quiet_hours
    from statements
    group by user_id

),

preferences as (

    select
        user_id,
        {{ texts_of_json("nullif(interests, 'null')") }} as interests,
        {{ texts_of_json("nullif(muted, 'null')") }} as muted,
        coalesce(opt_out, 'false') = 'true' as is_opted_out,
        {{ number_within(json_text('quiet_hours', 'from'), 0, 24) }} as quiet_from_hour,
        {{ number_within(json_text('quiet_hours', 'to'), 0, 24) }} as quiet_until_hour
    from latest_statements

)

select * from preferences
