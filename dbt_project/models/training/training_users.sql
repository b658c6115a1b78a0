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

item_topics as (

    {{ catalogue_as_of(ref('stg_item_descriptions'), frame_moment()) }}

),

user_totals as (

    {{ user_totals_as_of('sessions') }}

),

user_items as (

    {{ user_items_as_of('reactions') }}

),

user_tastes as (

    {{ user_tastes_as_of('user_items', 'item_topics') }}

),

user_tags as (

    {{ user_tags_as_of('user_items', 'item_topics') }}

),

users as (

    {{ users_as_of('user_totals', 'user_tastes', 'user_tags', frame_moment()) }}

),

consenting_users as (

    select * from users
    where has_personalization_consent

)

select * from consenting_users
