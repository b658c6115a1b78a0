{#- Money of each session by currency. The rates read it to know which sessions a changed rate concerns. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select
        *,
        {{ site_date('occurred_at') }} as date,
        not {{ counts_as_conversion() }} as is_claimed
    from {{ session_events() }} as events
    where event_type = 'purchase'

),

purchases as (

    select
        session_key,
        person_id as user_id,
        is_bot,
        is_internal,
        date,
        currency,
        is_claimed,
        count(distinct case when {{ is_purchase() }} then order_id end) as purchases,
        count(distinct case when is_refund then order_id end) as refunds,
        coalesce({{ net_sum('value') }}, 0) as original_amount,
        coalesce({{ net_sum('amount') }}, 0) as revenue,
        count(distinct case when {{ is_purchase() }} and {{ is_unconverted() }} then order_id end) as unconverted_purchases,
        coalesce({{ net_sum('case when amount is null then value end') }}, 0) as unconverted_amount
    from events
    group by session_key, person_id, is_bot, is_internal, date, currency, is_claimed

)

select * from purchases
