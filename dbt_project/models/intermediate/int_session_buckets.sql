{#- Two events of one bucket are never further apart than the timeout, so that silence lies between buckets only: sessions
    are cut on the few buckets instead of on all events. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'people', 'keys': ['person_id'], 'fills_queues': {'sessions': {
        'key': 'session_key',
        'content': ['bucket_key', 'content', 'from_at', 'until_at', 'started_at', 'is_bot', 'is_internal']
    }}}
) }}

with activity as (

    select * from {{ rows_to_rebuild(ref('int_activity_attributed'), 'person_id') }} as activity

),

campaign_clicks as (

    select * from {{ ref('int_campaign_clicks') }}

),

visits as (

    {{ visits_of('activity') }}

),

-- In a visit with sessions of the client, each of them goes on until the next one begins, for events that name none.
trusted_starts as (

    select
        visit_device_id,
        person_id,
        visit_started_at,
        trusted_session_id,
        min(first_at) as started_at,
        min(min(first_at)) over (partition by visit_device_id, person_id, visit_started_at) as first_started_at
    from visits
    where trusted_session_id is not null
    group by visit_device_id, person_id, visit_started_at, trusted_session_id

),

campaign_clicks_of_visits as (

    select
        visits.visit_device_id,
        visits.person_id,
        visits.visit_started_at,
        campaign_clicks.occurred_at,
        campaign_clicks.campaign,
        lag(campaign_clicks.campaign) over (
            partition by visits.visit_device_id, visits.person_id, visits.visit_started_at
            order by campaign_clicks.occurred_at, campaign_clicks.campaign
        ) as previous_campaign
    from campaign_clicks
    inner join visits
        on
            campaign_clicks.bucket = visits.bucket
            and campaign_clicks.device_id = visits.device_id
            and campaign_clicks.user_id is not distinct from visits.user_id
            and campaign_clicks.anonymous_id is not distinct from visits.anonymous_id
            and campaign_clicks.occurred_at >= visits.first_at
            and (visits.until_at is null or campaign_clicks.occurred_at < visits.until_at)
    where not visits.has_trusted_session

),

session_starts as (

    select
        visit_device_id,
        person_id,
        visit_started_at,
        cast(null as {{ dbt.type_string() }}) as trusted_session_id,
        visit_started_at as from_at,
        visit_started_at as started_at
    from visits
    where not has_trusted_session
    union
    select
        visit_device_id,
        person_id,
        visit_started_at,
        null as trusted_session_id,
        occurred_at as from_at,
        occurred_at as started_at
    from campaign_clicks_of_visits
    where campaign is distinct from previous_campaign
    union
    select
        visit_device_id,
        person_id,
        visit_started_at,
        trusted_session_id,
        case when started_at = first_started_at then visit_started_at else started_at end as from_at,
        started_at
    from trusted_starts

),

sessions as (

    select
        *,
        lead(from_at) over (
            partition by visit_device_id, person_id, visit_started_at order by from_at, trusted_session_id
        ) as until_at
    from session_starts

),

session_buckets as (

    select
        visits.user_id,
        visits.anonymous_id,
        visits.visit_device_id as device_id,
        visits.person_id,
        visits.bucket,
        visits.first_at,
        visits.last_at,
        visits.page_views,
        visits.claimed_conversions,
        visits.is_bot,
        visits.is_internal,
        visits.content,
        {{ bucket_key(
            'visits.user_id', 'visits.anonymous_id', 'visits.trusted_session_id', 'visits.bucket'
        ) }} as bucket_key,
        greatest(visits.first_at, case when visits.trusted_session_id is null then sessions.from_at end) as from_at,
        least(visits.until_at, case when visits.trusted_session_id is null then sessions.until_at end) as until_at,
        sessions.started_at,
        sessions.trusted_session_id,
        {{ key_of([
            'visits.visit_device_id', 'visits.person_id', 'sessions.started_at', 'sessions.trusted_session_id'
        ]) }} as session_key
    from visits
    inner join sessions
        on
            visits.visit_device_id = sessions.visit_device_id
            and visits.person_id = sessions.person_id
            and visits.visit_started_at = sessions.visit_started_at
            and (
                visits.trusted_session_id = sessions.trusted_session_id
                or (
                    visits.trusted_session_id is null
                    and visits.last_at >= sessions.from_at
                    and (sessions.until_at is null or visits.first_at < sessions.until_at)
                )
            )

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
        session_buckets.bucket_key,
        session_buckets.from_at,
        session_buckets.until_at,
        session_buckets.started_at,
        session_buckets.trusted_session_id,
        session_buckets.session_key,
        session_buckets.content,
        judged_sessions.is_bot,
        judged_sessions.is_internal
    from session_buckets
    inner join judged_sessions on session_buckets.session_key = judged_sessions.session_key

)

select * from judged_session_buckets
