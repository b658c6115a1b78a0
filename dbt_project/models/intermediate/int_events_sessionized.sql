{{ config(materialized=view_or_table()) }}

with events as (

    select * from {{ ref('stg_events') }}

),

session_buckets as (

    select * from {{ ref('int_session_buckets') }}

),

sessionized_events as (

    {{ events_with_sessions('events', 'session_buckets') }}

)

select * from sessionized_events
