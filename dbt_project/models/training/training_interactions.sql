{{ config(materialized='table_function', parameters='as_of') }}

with sessions as (

    select * from {{ ref('sessions') }}
    where ended_at <= {{ frame_moment() }}

),

reactions as (

    select reactions.* from {{ ref('int_interactions_weighted') }} as reactions
    inner join {{ ref('sessions') }} as sessions on reactions.session_key = sessions.session_key
    where sessions.ended_at <= {{ frame_moment() }}

),

user_totals as (

    {{ user_totals_as_of('sessions') }}

),

user_items as (

    {{ user_items_as_of('reactions') }}

),

interactions as (

    {{ interactions_as_of('user_items', 'user_totals', frame_moment()) }}

)

select * from interactions
