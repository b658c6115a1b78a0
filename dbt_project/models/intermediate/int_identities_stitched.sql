with links as (

    select
        anonymous_id,
        user_id,
        min(first_at) as first_seen_at
    from {{ ref('int_activity_bucketed') }}
    where anonymous_id is not null and user_id is not null
    group by anonymous_id, user_id

)

select
    anonymous_id,
    count(*) as known_users,
    min(first_seen_at) as first_identified_at,
    case when count(*) = 1 then min(user_id) end as user_id
from links
group by anonymous_id
