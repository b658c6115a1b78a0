-- Any two events in one bucket are nearer than the timeout, so silence can only lie between buckets: sessions are
-- found on a few buckets instead of on all events.
with buckets as (

    select
        activity.user_id,
        activity.anonymous_id,
        activity.device_id,
        activity.bucket,
        activity.first_at,
        activity.last_at,
        coalesce(activity.user_id, identities.user_id, activity.anonymous_id) as person_id
    from {{ ref('int_activity_bucketed') }} as activity
    left join {{ ref('int_identities_stitched') }} as identities
        on activity.anonymous_id = identities.anonymous_id

),

silences as (

    select
        *,
        max(last_at) over (
            partition by device_id, person_id order by first_at, last_at, user_id
            rows between unbounded preceding and 1 preceding
        ) as silent_since
    from buckets

),

visits as (

    select
        *,
        max(case
            when silent_since is null or {{ seconds_between('silent_since', 'first_at') }} > {{ var('session_timeout_minutes') * 60 }}
                then first_at
        end) over (
            partition by device_id, person_id order by first_at, last_at, user_id
            rows between unbounded preceding and current row
        ) as visit_started_at
    from silences

),

campaigns as (

    select
        visits.device_id,
        visits.person_id,
        visits.visit_started_at,
        clicks.occurred_at,
        clicks.campaign,
        lag(clicks.campaign) over (
            partition by visits.device_id, visits.person_id, visits.visit_started_at
            order by clicks.occurred_at, clicks.campaign
        ) as previous_campaign
    from {{ ref('int_campaign_clicks') }} as clicks
    inner join visits
        on
            clicks.bucket = visits.bucket
            and clicks.user_id is not distinct from visits.user_id
            and clicks.anonymous_id is not distinct from visits.anonymous_id

),

starts as (

    select device_id, person_id, visit_started_at, visit_started_at as started_at from visits
    union
    select device_id, person_id, visit_started_at, occurred_at as started_at from campaigns
    where campaign is distinct from previous_campaign

),

spans as (

    select
        *,
        lead(started_at) over (partition by device_id, person_id, visit_started_at order by started_at) as next_started_at
    from starts

)

select
    visits.user_id,
    visits.anonymous_id,
    visits.device_id,
    visits.person_id,
    visits.bucket,
    spans.started_at,
    spans.next_started_at,
    {{ key_of(['visits.device_id', 'visits.person_id', 'spans.started_at']) }} as session_key
from visits
inner join spans
    on
        visits.device_id = spans.device_id
        and visits.person_id = spans.person_id
        and visits.visit_started_at = spans.visit_started_at
        and visits.last_at >= spans.started_at
        and (spans.next_started_at is null or visits.first_at < spans.next_started_at)
