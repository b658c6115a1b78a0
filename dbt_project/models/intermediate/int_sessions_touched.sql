{#- Kept as a table of its own so that its few rows are counted, not guessed: a join with all events that is planned on a
    guess keeps the events in memory instead of these. -#}
{{ config(materialized='table') }}
{%- set touched = 'session_key in (select session_key from state.queue_sessions where session_key is not null)' %}

select * from {{ ref('int_session_buckets') }}
where {{ touched if is_built('int_page_views') else 'false' }}
