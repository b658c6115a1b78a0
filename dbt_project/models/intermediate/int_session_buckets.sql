{#- Two events of one bucket are never further apart than the timeout, so that silence lies between buckets only: sessions
    are cut on the few buckets instead of on all events. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'devices', 'keys': ['device_id'], 'fills_queues': {'sessions': {
        'key': 'session_key',
        'content': ['user_id', 'anonymous_id', 'bucket', 'content', 'next_started_at', 'is_bot', 'is_internal']
    }}}
) }}

with activity as (

    select * from {{ rows_to_rebuild(ref('int_activity_bucketed'), 'device_id') }} as activity

),

identities as (

    select * from {{ ref('int_identities_stitched') }}

),

-- Known users whose id is also that of a device.
known_users as (

    select distinct user_id from {{ rows_to_rebuild(ref('int_activity_bucketed'), 'user_id') }} as activity
    where user_id is not null

),

campaign_clicks as (

    select * from {{ ref('int_campaign_clicks') }}

),

buckets as (

    select
        user_id,
        anonymous_id,
        device_id,
        bucket,
        min(first_at) as first_at,
        max(last_at) as last_at,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(claimed_conversions) as bigint) as claimed_conversions,
        bool_or(is_bot) as is_bot,
        bool_or(is_internal) as is_internal,
        bit_xor(content) as content
    from activity
    group by user_id, anonymous_id, device_id, bucket

),

buckets_with_person as (

    select
        buckets.user_id,
        buckets.anonymous_id,
        buckets.device_id,
        buckets.bucket,
        buckets.first_at,
        buckets.last_at,
        buckets.page_views,
        buckets.claimed_conversions,
        buckets.is_bot,
        buckets.is_internal,
        buckets.content,
        coalesce(
            buckets.user_id,
            identities.user_id,
            case
                when known_users.user_id is not null or buckets.anonymous_id like 'anonymous:%'
                    then concat('anonymous:', buckets.anonymous_id)
                else buckets.anonymous_id
            end
        ) as person_id
    from buckets
    left join identities on buckets.anonymous_id = identities.anonymous_id
    left join known_users on buckets.anonymous_id = known_users.user_id

),

buckets_after_silence as (

    select
        *,
        max(last_at) over (
            partition by device_id, person_id order by first_at, last_at, user_id nulls last, anonymous_id nulls last
            rows between unbounded preceding and 1 preceding
        ) as silent_since
    from buckets_with_person

),

visits as (

    select
        *,
        max(case
            when
                silent_since is null
                or {{ seconds_between('silent_since', 'first_at') }} > {{ var('session_timeout_minutes') * 60 }}
                then first_at
        end) over (
            partition by device_id, person_id order by first_at, last_at, user_id nulls last, anonymous_id nulls last
            rows between unbounded preceding and current row
        ) as visit_started_at
    from buckets_after_silence

),

campaign_clicks_of_visits as (

    select
        visits.device_id,
        visits.person_id,
        visits.visit_started_at,
        campaign_clicks.occurred_at,
        campaign_clicks.campaign,
        lag(campaign_clicks.campaign) over (
            partition by visits.device_id, visits.person_id, visits.visit_started_at
            order by campaign_clicks.occurred_at, campaign_clicks.campaign
        ) as previous_campaign
    from campaign_clicks
    inner join visits
        on
            campaign_clicks.bucket = visits.bucket
            and campaign_clicks.device_id = visits.device_id
            and campaign_clicks.user_id is not distinct from visits.user_id
            and campaign_clicks.anonymous_id is not distinct from visits.anonymous_id

),

session_starts as (

    select
        device_id,
        person_id,
        visit_started_at,
        visit_started_at as started_at
    from visits
    union
    select
        device_id,
        person_id,
        visit_started_at,
        occurred_at as started_at
    from campaign_clicks_of_visits
    where campaign is distinct from previous_campaign

),

sessions as (

    select
        *,
        lead(started_at) over (
            partition by device_id, person_id, visit_started_at order by started_at
        ) as next_started_at
    from session_starts

),

session_buckets as (

    select
        visits.user_id,
        visits.anonymous_id,
        visits.device_id,
        visits.person_id,
        visits.bucket,
        visits.first_at,
        visits.last_at,
        visits.page_views,
        visits.claimed_conversions,
        visits.is_bot,
        visits.is_internal,
        visits.content,
        sessions.started_at,
        sessions.next_started_at,
        {{ key_of(['visits.device_id', 'visits.person_id', 'sessions.started_at']) }} as session_key
    from visits
    inner join sessions
        on
            visits.device_id = sessions.device_id
            and visits.person_id = sessions.person_id
            and visits.visit_started_at = sessions.visit_started_at
            and visits.last_at >= sessions.started_at
            and (sessions.next_started_at is null or visits.first_at < sessions.next_started_at)

),

judged_sessions as (

    select
        session_key,
        bool_or(is_bot) or (
            sum(page_views) >= {{ var('bot_min_page_views') }}
            and sum(page_views) * 60 >= {{ var('bot_page_views_per_minute') }}
            * greatest({{ seconds_between('min(first_at)', 'max(last_at)') }}, 1)
        ) or (
            sum(claimed_conversions) >= {{ var('bot_min_conversions') }}
            and sum(claimed_conversions) * 60 >= {{ var('bot_conversions_per_minute') }}
            * greatest({{ seconds_between('min(first_at)', 'max(last_at)') }}, 1)
        ) as is_bot,
        bool_or(is_internal) as is_internal
    from session_buckets
    group by session_key

),

judged_session_buckets as (

    select
        session_buckets.user_id,
        session_buckets.anonymous_id,
        session_buckets.device_id,
        session_buckets.person_id,
        session_buckets.bucket,
        {{ bucket_key('session_buckets.user_id', 'session_buckets.anonymous_id', 'session_buckets.bucket') }} as bucket_key,
        session_buckets.started_at,
        session_buckets.next_started_at,
        session_buckets.session_key,
        session_buckets.content,
        judged_sessions.is_bot,
        judged_sessions.is_internal
    from session_buckets
    inner join judged_sessions on session_buckets.session_key = judged_sessions.session_key

)

select * from judged_session_buckets
