{{ config(meta={'dagster': {'ref': {'name': 'daily_metrics'}}}) }}
{#- What is summed over sessions, people, days and currencies is the same. -#}
{%- set measures = ['page_views', 'impressions', 'clicks', 'add_to_carts', 'checkouts', 'purchases', 'revenue', 'signups'] -%}
{%- set marts = ['sessions', 'users', 'user_days', 'daily_metrics'] -%}

with counted_sessions as (

    select
        *,
        1 as sessions
    from {{ ref('sessions') }}
    where {{ counts_in_marts() }}

),

totals as (

    {% for mart in marts -%}
    select
        '{{ mart }}' as mart,
        {% for measure in measures -%}
        round(coalesce(sum({{ measure }}), 0), 2) as {{ measure }},
        {% endfor -%}
        sum(sessions) as sessions
    from {{ 'counted_sessions' if mart == 'sessions' else ref(mart) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}

),

sums_of_sessions as (

    select * from totals
    where mart = 'sessions'

),

money as (

    select coalesce(sum(revenue), 0) as revenue from {{ ref('revenue_by_currency') }}

),

differences as (

    select totals.mart from totals
    cross join sums_of_sessions
    where
        coalesce(totals.sessions, 0) <> coalesce(sums_of_sessions.sessions, 0)
        {% for measure in measures -%}
        or abs(totals.{{ measure }} - sums_of_sessions.{{ measure }}) > 0.02
        {% endfor -%}
    union all
    select 'revenue_by_currency' as mart from money
    cross join sums_of_sessions
    where abs(money.revenue - sums_of_sessions.revenue) > 0.02

)

select * from differences
