{#- Time on a device is cut into stretches at the visits and at the logins inside them, so that what is said of a stretch
    never depends on who logs in after its visit, once anybody has logged in. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'devices', 'keys': ['anonymous_id']}
) }}

with activity as (

    select * from {{ rows_to_rebuild(ref('int_activity_bucketed'), 'device_id') }} as activity

),

-- Which part of the log an event lies in must not matter.
buckets as (

    select
        anonymous_id,
        user_id,
        min(first_at) as first_at,
        max(last_at) as last_at
    from activity
    where anonymous_id is not null
    group by anonymous_id, user_id, bucket

),

identified_devices as (

    select distinct anonymous_id from buckets
    where user_id is not null

),

activity_on_devices as (

    select
        buckets.anonymous_id,
        buckets.user_id,
        buckets.first_at,
        buckets.last_at,
        max(buckets.last_at) over (
            partition by buckets.anonymous_id order by buckets.first_at, buckets.user_id nulls last
            rows between unbounded preceding and 1 preceding
        ) as silent_since
    from buckets
    inner join identified_devices on buckets.anonymous_id = identified_devices.anonymous_id

),

activity_in_visits as (

    select
        anonymous_id,
        user_id,
        first_at,
        last_at,
        max(case when {{ begins_after('silent_since') }} then first_at end) over (
            partition by anonymous_id order by first_at, user_id nulls last
            rows between unbounded preceding and current row
        ) as visit_started_at
    from activity_on_devices

),

logins as (

    select
        anonymous_id,
        user_id,
        visit_started_at,
        first_at,
        lag(user_id) over (partition by anonymous_id, visit_started_at order by first_at, user_id) as user_before
    from activity_in_visits
    where user_id is not null

),

visits as (

    select
        anonymous_id,
        visit_started_at,
        min_by(user_id, case when user_id is not null then {{ pair_of('first_at', 'user_id') }} end) as first_user_id,
        min(user_id) as least_user_id,
        max(user_id) as greatest_user_id
    from activity_in_visits
    group by anonymous_id, visit_started_at

),

visits_among_others as (

    select
        anonymous_id,
        visit_started_at,
        first_user_id,
        min(least_user_id) over earlier_visits as least_user_before,
        max(greatest_user_id) over earlier_visits as greatest_user_before,
        min_by(first_user_id, case when first_user_id is not null then visit_started_at end) over (
            partition by anonymous_id
        ) as first_user_of_device
    from visits
    window earlier_visits as (
        partition by anonymous_id order by visit_started_at rows between unbounded preceding and 1 preceding
    )

),

changes as (

    select
        anonymous_id,
        visit_started_at as from_at,
        case
            when first_user_id is not null then first_user_id
            when least_user_before is null then first_user_of_device
            when least_user_before = greatest_user_before then least_user_before
        end as user_id
    from visits_among_others
    union all
    select
        anonymous_id,
        first_at as from_at,
        user_id
    from logins
    where user_before is not null and user_before <> user_id

),

changes_of_user as (

    select
        anonymous_id,
        from_at,
        user_id,
        row_number() over in_time as change_number,
        lag(user_id) over in_time as user_before
    from changes
    window in_time as (partition by anonymous_id order by from_at, user_id nulls first)

),

stretches as (

    select
        anonymous_id,
        user_id,
        case when change_number > 1 then from_at end as from_at,
        lead(from_at) over (partition by anonymous_id order by change_number) as until_at
    from changes_of_user
    where change_number = 1 or user_id is distinct from user_before

),

-- Of users who were seen at the same moment, the last one in the order of the ids stays.
identities as (

    select * from stretches
    where from_at is null or until_at is null or from_at < until_at

)

select * from identities
