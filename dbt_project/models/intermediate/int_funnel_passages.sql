{{ config(materialized='view') }}

with passages_of_sessions as (

    select * from {{ ref('int_passages_of_sessions') }}

),

passages_of_users as (

    select * from {{ ref('int_passages_of_users') }}

),

passages as (

    select * from passages_of_sessions
    union all
    select * from passages_of_users

)

select * from passages
