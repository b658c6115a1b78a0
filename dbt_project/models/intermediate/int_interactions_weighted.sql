{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key'], 'fills_queues': {'pairs': 'user_id, item_id'}}
) }}
{%- set weights = var('interaction_weights') %}
{%- set strength -%}
    reactions.weight * (
        1 + least(coalesce(attention.engaged_seconds, 0), {{ var('dwell_cap_seconds') }}) / {{ var('dwell_cap_seconds') }}
    )
{%- endset %}

with repeats as (

    select event_id from {{ rows_to_rebuild(ref('int_view_repeats'), 'session_key') }} as repeats
    where repeats_item

),

attention_sources as (

    select * from {{ attention_sources() }} as sources

),

events as (

    select
        events.session_key,
        events.person_id,
        events.item_id,
        events.event_type,
        events.occurred_at,
        events.value,
        events.is_refund,
        events.order_id,
        events.amount,
        events.recommendation_id,
        events.authority,
        attention_sources.source is not null as reports_attention
    from {{ session_events() }} as events
    left join attention_sources on coalesce(events.source, '') = attention_sources.source
    where
        item_id is not null
        and event_id not in (select event_id from repeats)
        and event_type in ('impression', {{ text_list(weights) }})
        and {{ counts_in_marts() }}

),

page_views as (

    select * from {{ rows_to_rebuild(ref('int_page_views'), 'session_key') }} as page_views

),

clicked_impressions as (

    select * from {{ rows_to_rebuild(ref('int_impressions_clicked'), 'session_key') }} as clicked_impressions

),

reactions as (

    select
        session_key,
        person_id,
        item_id,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        count(*) as events,
        cast(sum(case
            when is_refund then 0
            when event_type in ({{ text_list(conversions()) }}) and not {{ counts_as_conversion() }} then 0
            {% for event_type, weight in weights.items() -%}
            when event_type = '{{ event_type }}' then {{ weight }}
            {% endfor -%}
            else 0
        end) as double) as weight,
        {{ count_of('page_view') }} as views,
        {{ count_of('click') }} as clicks,
        {{ count_of('impression') }} as impressions,
        {{ count_of(likes()) }} as likes,
        {{ count_of(dislikes()) }} as dislikes,
        {{ count_of('add_to_cart') }} as add_to_carts,
        {{ purchases() }} as purchases,
        {{ revenue() }} as revenue,
        {{ claimed_purchases() }} as claimed_purchases,
        {{ claimed_revenue() }} as claimed_revenue,
        max(case when event_type = 'rating' then value end) as rating,
        bool_or(reports_attention) as reports_attention
    from events
    group by session_key, person_id, item_id

),

attention as (

    select
        session_key,
        item_id,
        {{ rounded('sum(engaged_seconds)', 3) }} as engaged_seconds
    from page_views
    where item_id is not null
    group by session_key, item_id

),

weighted_reactions as (

    select
        reactions.session_key,
        reactions.person_id as user_id,
        reactions.item_id,
        reactions.first_at,
        reactions.last_at,
        reactions.events,
        reactions.weight,
        reactions.views,
        reactions.clicks,
        reactions.impressions,
        coalesce(clicked_impressions.clicked_impressions, 0) as clicked_impressions,
        reactions.likes,
        reactions.dislikes,
        reactions.add_to_carts,
        reactions.purchases,
        reactions.revenue,
        reactions.claimed_purchases,
        reactions.claimed_revenue,
        reactions.rating,
        coalesce(attention.engaged_seconds, case when reactions.reports_attention then 0 end) as engaged_seconds,
        {{ rounded(strength, 6) }} as strength
    from reactions
    left join attention on reactions.session_key = attention.session_key and reactions.item_id = attention.item_id
    left join clicked_impressions
        on
            reactions.session_key = clicked_impressions.session_key
            and reactions.item_id = clicked_impressions.item_id

)

select * from weighted_reactions
