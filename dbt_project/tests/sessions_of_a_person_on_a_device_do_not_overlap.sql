{#- Sessions of clients that are trusted may: they are what the client says. -#}
with neighbours as (

    select
        session_id,
        started_at,
        max(ended_at) over (
            partition by device_id, user_id order by started_at
            rows between unbounded preceding and 1 preceding
        ) as ended_before
    from {{ ref('sessions') }}
    where client_session_id is null

)

select
    session_id,
    started_at,
    ended_before
from neighbours
where started_at < ended_before
