{#- A view: people state something seldom, and only audiences and analysts ask for it. -#}
{{ config(materialized='view') }}
{%- set keys = ['interests', 'muted', 'opt_out', 'quiet_hours'] %}

with statements as (

    select
        person_id as user_id,
        properties,
        {{ moment_of('occurred_at', 'event_id') }} as moment
    from {{ ref('int_events_sessionized') }}
    where event_type = 'preference' and {{ counts_in_marts() }}

),

-- As JSON text: what was taken back is the JSON null, which unlike SQL's is newer than what was said before.
latest as (

    select
        user_id,
        {% for key in keys -%}
        max_by(
            cast(json_extract(properties, '$.{{ key }}') as varchar),
            case when json_extract(properties, '$.{{ key }}') is not null then moment end
        ) as {{ key }}{{ ',' if not loop.last }}
        {% endfor %}
    from statements
    group by user_id

)

select
    user_id,
    try_cast(nullif(interests, 'null') as varchar []) as interests,
    try_cast(nullif(muted, 'null') as varchar []) as muted,
    coalesce(opt_out, 'false') = 'true' as is_opted_out,
    try_cast({{ json_text('quiet_hours', 'from') }} as double) as quiet_from_hour,
    try_cast({{ json_text('quiet_hours', 'to') }} as double) as quiet_until_hour
from latest
