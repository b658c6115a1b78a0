{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'devices', 'keys': ['device_id'], 'fills_queues': {'people': {
        'key': 'person_id',
        'content': [
            'user_id', 'anonymous_id', 'trusted_session_id', 'bucket', 'content', 'first_at', 'last_at', 'until_at'
        ]
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

buckets as (

    select
        user_id,
        anonymous_id,
        device_id,
        trusted_session_id,
        bucket,
        min(first_at) as first_at,
        max(last_at) as last_at,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(claimed_conversions) as bigint) as claimed_conversions,
        bool_or(is_bot) as is_bot,
        bool_or(is_internal) as is_internal,
        bit_xor(content) as content
    from activity
    group by user_id, anonymous_id, device_id, trusted_session_id, bucket

),

-- A bucket without a user in which the person of the device changes belongs to both persons, each for their time.
attributed_buckets as (

    select
        buckets.user_id,
        buckets.anonymous_id,
        buckets.device_id,
        buckets.trusted_session_id,
        buckets.bucket,
        greatest(buckets.first_at, coalesce(identities.from_at, buckets.first_at)) as first_at,
        least(buckets.last_at, coalesce(identities.until_at, buckets.last_at)) as last_at,
        case when identities.until_at <= buckets.last_at then identities.until_at end as until_at,
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
    left join identities
        on
            buckets.user_id is null
            and buckets.anonymous_id = identities.anonymous_id
            and (identities.from_at is null or buckets.last_at >= identities.from_at)
            and (identities.until_at is null or buckets.first_at < identities.until_at)
    left join known_users on buckets.anonymous_id = known_users.user_id

)

select * from attributed_buckets
