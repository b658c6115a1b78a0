{{ config(materialized='table_function', parameters='as_of') }}

with sessions as (

    select * from {{ ref('sessions') }}
    where ended_at <= as_of

),

reactions as (

    select reactions.* from {{ ref('int_interactions_weighted') }} as reactions
    inner join {{ ref('sessions') }} as sessions on reactions.session_key = sessions.session_key
    where sessions.ended_at <= as_of

),

user_totals as (

    {{ user_totals_as_of('sessions') }}

),

user_items as (

    {{ user_items_as_of('reactions') }}

),

interactions as (

    {{ interactions_as_of('user_items', 'user_totals', 'as_of') }}

)

select * from interactions
