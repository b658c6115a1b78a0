{{ config(materialized='table_function', parameters='as_of') }}

with catalogue as (

    {{ catalogue_as_of(ref('stg_item_descriptions'), frame_moment()) }}

),

published_items as (

    select * from catalogue
    where coalesce(published_at <= {{ frame_moment() }}, true)

),

reactions as (

    select reactions.* from {{ ref('int_interactions_weighted') }} as reactions
    inner join {{ ref('sessions') }} as sessions on reactions.session_key = sessions.session_key
    where sessions.ended_at <= {{ frame_moment() }}

),

page_views as (

    select page_views.* from {{ ref('page_views') }} as page_views
    inner join {{ ref('sessions') }} as sessions on page_views.session_key = sessions.session_key
    where sessions.ended_at <= {{ frame_moment() }}

),

user_items as (

    {{ user_items_as_of('reactions') }}

),

items as (

    {{ items_as_of('published_items', 'user_items', 'page_views', frame_moment()) }}

)

select * from items
