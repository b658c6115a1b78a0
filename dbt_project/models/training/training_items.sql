{{ config(materialized='table_function', parameters='as_of') }}

-- The catalogue keeps no history of its own: items published later are left out, all others stand as they are known now.
with catalogue as (

    select * from {{ ref('stg_items') }}
    where coalesce(published_at <= as_of, true)

),

reactions as (

    select reactions.* from {{ ref('int_interactions_weighted') }} as reactions
    inner join {{ ref('sessions') }} as sessions on reactions.session_key = sessions.session_key
    where sessions.ended_at <= as_of

),

page_views as (

    select page_views.* from {{ ref('page_views') }} as page_views
    inner join {{ ref('sessions') }} as sessions on page_views.session_key = sessions.session_key
    where sessions.ended_at <= as_of

),

user_items as (

    {{ user_items_as_of('reactions') }}

),

items as (

    {{ items_as_of('catalogue', 'user_items', 'page_views', 'as_of') }}

)

select * from items
