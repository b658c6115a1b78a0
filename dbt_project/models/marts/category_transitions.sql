{#- A view: a day has few pairs of pages, and the catalogue may give an item another category at any time. -#}
{{ config(materialized='view') }}

with page_transitions as (

    select * from {{ ref('page_transitions') }}

),

items as (

    select
        item_id,
        category
    from {{ ref('item_topics') }}

),

categorised_transitions as (

    select
        transitions.date,
        coalesce(from_items.category, '') as from_category,
        coalesce(to_items.category, '') as to_category,
        transitions.to_page = '' as is_exit,
        transitions.moves,
        transitions.dwells,
        transitions.total_dwell_seconds
    from page_transitions as transitions
    left join items as from_items on transitions.from_item_id = from_items.item_id
    left join items as to_items on transitions.to_item_id = to_items.item_id

),

category_transitions as (

    select
        date,
        from_category,
        to_category,
        is_exit,
        cast(sum(moves) as bigint) as moves,
        cast(sum(dwells) as bigint) as dwells,
        {{ rounded('sum(total_dwell_seconds)', 3) }} as total_dwell_seconds
    from categorised_transitions
    group by date, from_category, to_category, is_exit

)

select * from category_transitions
