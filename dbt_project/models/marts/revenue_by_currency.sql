with purchases as (

    select * from {{ ref('int_purchases_summed') }}
    where {{ counts_in_marts() }} and not is_claimed

),

site_currencies as (

    select max(currency) as currency from {{ ref('stg_exchange_rates') }}
    where is_site_currency

),

named_purchases as (

    select
        purchases.* {{ without(['currency']) }},
        coalesce(nullif(purchases.currency, ''), site_currencies.currency) as currency,
        site_currencies.currency as site_currency
    from purchases
    cross join site_currencies

),

revenue_by_currency as (

    select
        date,
        currency,
        site_currency,
        cast(sum(purchases) as bigint) as purchases,
        cast(sum(refunds) as bigint) as refunds,
        {{ net_sum('original_amount') }} as original_amount,
        {{ net_sum('revenue') }} as revenue,
        cast(sum(unconverted_purchases) as bigint) as unconverted_purchases,
        {{ net_sum('unconverted_amount') }} as unconverted_amount
    from named_purchases
    group by date, currency, site_currency

)

select * from revenue_by_currency
