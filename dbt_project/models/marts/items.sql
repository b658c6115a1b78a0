with catalogue as (

    select * from {{ ref('stg_items') }}

),

user_items as (

    select * from {{ ref('user_items') }}

),

page_views as (

    select * from {{ ref('page_views') }}

),

activity as (

    select max(last_at) as newest_event_at from {{ ref('int_activity_bucketed') }}

),

items as (

    {{ items_as_of('catalogue', 'user_items', 'page_views', '(select newest_event_at from activity)') }}

)

select * from items
