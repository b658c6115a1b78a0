{#- A session belongs to the day in which it began, counted from the exposure; the session of the exposure is cut at it. -#}
{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'users', 'keys': ['user_id']}
) }}
{%- set queued_only = '' if rebuilds_all('experiment_outcomes', 'users') else 'and user_id in ' ~ queued('users', 'user_id') %}

with exposed as (

    select
        experiment_id,
        user_id,
        min(occurred_at) as first_exposed_at
    from {{ ref('int_control_events') }}
    where event_type = 'exposure' and experiment_id is not null and {{ counts_in_marts() }} {{ queued_only }}
    group by experiment_id, user_id

),

cut_sessions as (

    select distinct session_key from {{ ref('exposed_stretches') }}

),

stretches as (

    select
        user_id,
        started_at,
        1 as sessions,
        {% for name in measure_names() -%}
        {{ name }},
        {% endfor -%}
        engaged_seconds
    from {{ ref('sessions') }}
    where {{ counts_in_marts() }} and session_key not in (select session_key from cut_sessions) {{ queued_only }}

    union all

    select
        user_id,
        coalesce(exposed_at, started_at) as started_at,
        case when exposed_at is null or exposed_at = min(started_at) over (partition by session_key) then 1 else 0 end as sessions,
        {% for name in measure_names() -%}
        {{ name }},
        {% endfor -%}
        engaged_seconds
    from {{ ref('exposed_stretches') }}
    where true {{ queued_only }}

),

placed as (

    select
        exposed.experiment_id,
        stretches.*,
        cast(floor({{ days_between('exposed.first_exposed_at', 'stretches.started_at') }}) as integer) as day
    from exposed
    inner join stretches on exposed.user_id = stretches.user_id

)

select
    experiment_id,
    user_id,
    day,
    cast(sum(sessions) as bigint) as sessions,
    {% for name in measure_names() if name != 'revenue' -%}
    cast(sum({{ name }}) as bigint) as {{ name }},
    {% endfor -%}
    {{ net_sum('revenue') }} as revenue,
    round(sum(engaged_seconds), 3) as engaged_seconds
from placed
where day between {{ var('outcome_first_day') }} and {{ var('outcome_last_day') }}
group by experiment_id, user_id, day
