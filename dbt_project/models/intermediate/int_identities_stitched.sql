{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'devices', 'keys': ['anonymous_id'], 'queue_columns': ['device_id']}
) }}

with links as (

    select
        anonymous_id,
        user_id,
        min(first_at) as first_seen_at
    from {{ ref('int_activity_bucketed') }}
    where
        anonymous_id is not null and user_id is not null
        {% if not rebuilds_all('int_identities_stitched', 'devices') %}
        and device_id in {{ queued('devices', 'device_id') }}
        {% endif %}
    group by anonymous_id, user_id

)

select
    anonymous_id,
    case when count(*) = 1 then min(user_id) end as user_id,
    count(*) as known_users,
    min(first_seen_at) as first_identified_at
from links
group by anonymous_id
