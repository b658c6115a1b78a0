{#- Sessions with exposures are cut at every exposure, so that what came before can be told from what came after. -#}
{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}
{%- set whole = rebuilds_all('exposed_stretches', 'sessions') %}

with cuts as (

    select
        session_key,
        list(distinct occurred_at) as cut_at
    from {{ ref('int_control_events') }}
    where
        event_type = 'exposure' and {{ counts_in_marts() }}
        {% if not whole %}
        and session_key in {{ queued('sessions', 'session_key') }}
        {% endif %}
    group by session_key

),

events as (

    select
        events.session_key,
        events.person_id,
        events.event_type,
        events.occurred_at,
        events.value,
        events.recommendation_id,
        list_max(list_filter(cuts.cut_at, lambda cut: cut <= events.occurred_at)) as exposed_at
    from {{ session_events() }} as events
    inner join cuts on events.session_key = cuts.session_key
    where events.event_type not in ('page_ping', 'page_exit', 'scroll', 'hover', 'cursor', 'video_progress', 'served')

),

engagement as (

    select
        views.session_key,
        list_max(list_filter(cuts.cut_at, lambda cut: cut <= views.viewed_at)) as exposed_at,
        round(sum(views.engaged_seconds), 3) as engaged_seconds
    from {{ ref('int_page_views') }} as views
    inner join cuts on views.session_key = cuts.session_key
    group by views.session_key, exposed_at

),

measured as (

    select
        session_key,
        person_id as user_id,
        exposed_at,
        min(occurred_at) as started_at,
        {{ measures() }}
    from events
    group by session_key, person_id, exposed_at

)

select
    measured.session_key,
    measured.user_id,
    measured.exposed_at,
    measured.started_at,
    {% for name in measure_names() -%}
    measured.{{ name }},
    {% endfor -%}
    coalesce(engagement.engaged_seconds, 0) as engaged_seconds
from measured
left join engagement
    on measured.session_key = engagement.session_key and measured.exposed_at is not distinct from engagement.exposed_at
