{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'devices', 'keys': ['anonymous_id']}
) }}

with activity as (

    select * from {{ rows_to_rebuild(ref('int_activity_bucketed'), 'device_id') }} as activity

),

links as (

    select
        anonymous_id,
        user_id,
        min(first_at) as first_seen_at
    from activity
    where anonymous_id is not null and user_id is not null
    group by anonymous_id, user_id

),

identities as (

    select
        anonymous_id,
        case when count(*) = 1 then min(user_id) end as user_id,
        count(*) as known_users,
        min(first_seen_at) as first_identified_at
    from links
    group by anonymous_id

)

select * from identities
