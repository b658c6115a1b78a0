{#- A view: a day has few pairs of pages, and the catalogue may give an item another category at any time. -#}
{{ config(materialized='view') }}

with moves as (

    select * from {{ ref('page_transitions') }}

),

items as (

    select
        item_id,
        category
    from {{ ref('item_topics') }}

)

select
    moves.date,
    coalesce(origin.category, '') as from_category,
    coalesce(target.category, '') as to_category,
    moves.to_page = '' as is_exit,
    cast(sum(moves.moves) as bigint) as moves,
    cast(sum(moves.dwells) as bigint) as dwells,
    round(sum(moves.dwell_seconds), 3) as dwell_seconds
from moves
left join items as origin on moves.from_item_id = origin.item_id
left join items as target on moves.to_item_id = target.item_id
group by moves.date, from_category, to_category, is_exit
