{#- Only who came on several days is called by how often they come. -#}
with users as (

    select * from {{ ref('users') }}

)

select
    user_id,
    engagement_class,
    active_days,
    frequency_low
from users
where
    (engagement_class in ('frequent', 'occasional', 'inactive') and active_days < 2)
    or (engagement_class = 'one-time' and active_days <> 1)
    or (engagement_class = 'frequent' and frequency_low < {{ var('frequent_active_share') }})
    or not (frequency between frequency_low and frequency_high)
