{#- This is a table of its own so that DuckDB counts its few rows instead of guessing them: a join with all events that is
    planned on a guess keeps the events in memory instead of these rows. -#}
{{ config(materialized='table') }}

with session_buckets as (

    select * from {{ ref('int_session_buckets') }}

),

touched_buckets as (

    select * from session_buckets
    where {{ 'session_key in (select session_key from state.queue_sessions)' if is_built('int_page_views') else 'false' }}

)

select * from touched_buckets
