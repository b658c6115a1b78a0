{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_parts',
    meta={'reads_parts': 'with_repeats'}
) }}

with source as (

    select * from {{ read_events(source('event_log', 'events'), parts_to_read('stg_purchase_currencies')) }} as events

),

purchases as (

    select
        part_path,
        {{ currency_of('properties') }} as currency
    from source
    where event_type = 'purchase'

),

currencies as (

    select
        part_path,
        currency,
        count(*) as purchases
    from purchases
    group by part_path, currency

)

select * from currencies
