{{ config(materialized='view') }}

with user_items as (

    select * from {{ ref('user_items') }}

),

user_totals as (

    select * from {{ ref('user_totals') }}

),

activity as (

    select max(last_at) as newest_event_at from {{ ref('int_activity_bucketed') }}

),

interactions as (

    {{ interactions_as_of('user_items', 'user_totals', '(select newest_event_at from activity)') }}

)

select * from interactions
