{#- What one unit of each currency is worth in the currency of the site. That is the one of the settings, else the one that
    most purchases name, else the one of most prices in the catalogue. Amounts that name no currency are in it. When a rate
    changes, the sessions with money of its currency and days are queued. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_rates',
    meta={'fills_queues': {'sessions': 'session_key'}}
) }}

with purchase_currencies as (

    select * from {{ ref('stg_purchase_currencies') }}

),

item_descriptions as (

    select {{ currency_code('currency') }} as currency from {{ ref('stg_item_descriptions') }}
    where price is not null

),

rates as (

    select * from {{ read_exchange_rates() }} as rates

),

uses as (

    select
        currency,
        sum(purchases) as purchases,
        0 as descriptions
    from purchase_currencies
    group by currency
    union all
    select
        currency,
        0 as purchases,
        count(*) as descriptions
    from item_descriptions
    group by currency

),

totals as (

    select
        currency,
        sum(purchases) as purchases,
        sum(descriptions) as descriptions
    from uses
    where currency not in ('', '{{ no_currency() }}')
    group by currency

),

ranked_currencies as (

    select
        currency,
        row_number() over (order by purchases desc, descriptions desc, currency asc) as usage_rank
    from totals

),

site_currencies as (

    select
        coalesce(
            {{ text_list([var('currency')] if var('currency') else []) }},
            max(case when usage_rank = 1 then currency end),
            ''
        ) as currency
    from ranked_currencies
    union distinct
    select '' as currency

),

exchange_rates as (

    select
        currency,
        valid_from,
        valid_until,
        rate,
        false as is_site_currency
    from rates
    where currency not in (select currency from site_currencies)
    union all
    select
        currency,
        cast('0001-01-01' as date) as valid_from,
        cast('9999-12-31' as date) as valid_until,
        cast(1 as double) as rate,
        true as is_site_currency
    from site_currencies

)

select * from exchange_rates
