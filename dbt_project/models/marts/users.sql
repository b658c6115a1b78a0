{#- A view: the recency of everybody moves with every event of the log, and the tables below it follow changes. -#}
{{ config(materialized=view_or_table()) }}

with user_totals as (

    select * from {{ ref('user_totals') }}

),

user_tastes as (

    select * from {{ ref('user_tastes') }}

),

user_tags as (

    select * from {{ ref('user_tags') }}

),

activity as (

    select max(last_at) as newest_event_at from {{ ref('int_activity_bucketed') }}

),

users as (

    {{ users_as_of('user_totals', 'user_tastes', 'user_tags', '(select newest_event_at from activity)') }}

)

select * from users
