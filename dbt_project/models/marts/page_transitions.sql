{{ config(
    materialized='incremental', incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'view_days', 'keys': ['date']}
) }}

with moves as (

    select
        cast(viewed_at as date) as date,
        page_key as from_page,
        coalesce(next_page_key, '') as to_page,
        item_id as from_item_id,
        next_item_id as to_item_id,
        coalesce(exit_seconds, case when heartbeats > 0 then engaged_seconds end) as dwell_seconds
    from {{ ref('int_page_views') }}
    where
        {{ counts_in_marts() }}
        {% if not rebuilds_all('page_transitions', 'view_days') %}
        and cast(viewed_at as date) in {{ queued('view_days', 'date') }}
        {% endif %}

)

select
    date,
    from_page,
    to_page,
    min(from_item_id) as from_item_id,
    min(to_item_id) as to_item_id,
    count(*) as moves,
    count(dwell_seconds) as dwells,
    round(coalesce(sum(dwell_seconds), 0), 3) as dwell_seconds
from moves
group by date, from_page, to_page
