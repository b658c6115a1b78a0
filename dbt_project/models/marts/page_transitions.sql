{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'view_days', 'keys': ['date']}
) }}

with page_views as (

    select * from {{ rows_to_rebuild(ref('int_page_views'), site_date('viewed_at')) }} as page_views
    where {{ counts_in_marts() }}

),

moves as (

    select
        {{ site_date('viewed_at') }} as date,
        page_key as from_page,
        coalesce(next_page_key, '') as to_page,
        item_id as from_item_id,
        next_item_id as to_item_id,
        {{ dwell_seconds() }} as dwell_seconds
    from page_views

),

page_transitions as (

    select
        date,
        from_page,
        to_page,
        min(from_item_id) as from_item_id,
        min(to_item_id) as to_item_id,
        count(*) as moves,
        count(dwell_seconds) as dwells,
        {{ rounded('coalesce(sum(dwell_seconds), 0)', 3) }} as total_dwell_seconds
    from moves
    group by date, from_page, to_page

)

select * from page_transitions
