{#- Any two events of one bucket are nearer to each other than the timeout, so silence can only lie between buckets:
    sessions are found on the few buckets instead of on all events. -#}
{{ config(
    materialized=kept(), incremental_strategy='replace_devices',
    pre_hook="{{ enqueue_everything('sessions') }}", post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'devices'}
) }}
{%- set whole = rebuilds_all('int_session_buckets', 'devices') %}

with activity as (

    select
        user_id,
        anonymous_id,
        device_id,
        bucket,
        min(first_at) as first_at,
        max(last_at) as last_at,
        cast(sum(page_views) as bigint) as page_views,
        bool_or(is_bot) as is_bot,
        bool_or(is_internal) as is_internal,
        bit_xor(content) as content
    from {{ ref('int_activity_bucketed') }}
    {% if not whole %}
    where device_id in {{ queued('devices', 'device_id') }}
    {% endif %}
    group by user_id, anonymous_id, device_id, bucket

),

buckets as (

    select
        activity.user_id,
        activity.anonymous_id,
        activity.device_id,
        activity.bucket,
        activity.first_at,
        activity.last_at,
        activity.page_views,
        activity.is_bot,
        activity.is_internal,
        activity.content,
        coalesce(activity.user_id, identities.user_id, activity.anonymous_id) as person_id
    from activity
    left join {{ ref('int_identities_stitched') }} as identities
        on activity.anonymous_id = identities.anonymous_id

),

silences as (

    select
        *,
        max(last_at) over (
            partition by device_id, person_id order by first_at, last_at, user_id nulls last
            rows between unbounded preceding and 1 preceding
        ) as silent_since
    from buckets

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
            partition by device_id, person_id order by first_at, last_at, user_id nulls last
            rows between unbounded preceding and current row
        ) as visit_started_at
    from silences

),

clicks as (

    select
        visits.device_id,
        visits.person_id,
        visits.visit_started_at,
        campaigns.occurred_at,
        campaigns.campaign,
        lag(campaigns.campaign) over (
            partition by visits.device_id, visits.person_id, visits.visit_started_at
            order by campaigns.occurred_at, campaigns.campaign
        ) as previous_campaign
    from {{ ref('int_campaign_clicks') }} as campaigns
    inner join visits
        on
            campaigns.bucket = visits.bucket
            and campaigns.device_id = visits.device_id
            and campaigns.user_id is not distinct from visits.user_id
            and campaigns.anonymous_id is not distinct from visits.anonymous_id

),

starts as (

    select device_id, person_id, visit_started_at, visit_started_at as started_at from visits
    union
    select device_id, person_id, visit_started_at, occurred_at as started_at from clicks
    where campaign is distinct from previous_campaign

),

spans as (

    select
        *,
        lead(started_at) over (
            partition by device_id, person_id, visit_started_at order by started_at
        ) as next_started_at
    from starts

),

split as (

    select
        visits.user_id,
        visits.anonymous_id,
        visits.device_id,
        visits.person_id,
        visits.bucket,
        visits.first_at,
        visits.last_at,
        visits.page_views,
        visits.is_bot,
        visits.is_internal,
        visits.content,
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

),

judged as (

    select
        session_key,
        bool_or(is_bot) or (
            sum(page_views) >= {{ var('bot_min_page_views') }}
            and sum(page_views) * 60 >= {{ var('bot_page_views_per_minute') }}
            * greatest({{ seconds_between('min(first_at)', 'max(last_at)') }}, 1)
        ) as is_bot,
        bool_or(is_internal) as is_internal
    from split
    group by session_key

)

select
    split.user_id,
    split.anonymous_id,
    split.device_id,
    split.person_id,
    split.bucket,
    {{ bucket_key('split.user_id', 'split.anonymous_id', 'split.bucket') }} as bucket_key,
    split.started_at,
    split.next_started_at,
    split.session_key,
    split.content,
    judged.is_bot,
    judged.is_internal
from split
inner join judged on split.session_key = judged.session_key
