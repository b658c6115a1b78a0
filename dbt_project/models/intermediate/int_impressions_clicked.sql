{#- How many of the things that a session was shown it clicked on. A click belongs to an impression of the same item in the
    same answer. Where one of both names no answer, the item decides. A click that came before the item was first shown
    belongs to none, and each impression is clicked once at most. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select
        session_key,
        coalesce(item_id, '') as item_id,
        coalesce(recommendation_id, '') as recommendation_id,
        event_type,
        occurred_at,
        min(case when event_type = 'impression' then occurred_at end) over (
            partition by session_key, coalesce(item_id, '')
        ) as first_shown_at
    from {{ session_events() }} as events
    where event_type in ('impression', 'click') and coalesce(item_id, recommendation_id) is not null

),

answers as (

    select
        session_key,
        item_id,
        recommendation_id,
        count(case when event_type = 'impression' then 1 end) as impressions,
        count(case when event_type = 'click' and occurred_at >= first_shown_at then 1 end) as clicks
    from events
    group by session_key, item_id, recommendation_id

),

matched_answers as (

    select
        session_key,
        item_id,
        recommendation_id <> '' as is_recommended,
        impressions - least(impressions, clicks) as other_impressions,
        clicks - least(impressions, clicks) as other_clicks,
        least(impressions, clicks) as clicked
    from answers

),

items as (

    select
        session_key,
        item_id,
        sum(clicked) as clicked,
        sum(case when is_recommended then clicked else 0 end) as clicked_recommendations,
        -- what names an answer meets what names none
        least(
            sum(case when is_recommended then other_impressions else 0 end),
            sum(case when is_recommended or item_id = '' then 0 else other_clicks end)
        ) as recommendations_clicked_by_item,
        least(
            sum(case when is_recommended then 0 else other_impressions end),
            sum(case when is_recommended and item_id <> '' then other_clicks else 0 end)
        ) as others_clicked_by_item
    from matched_answers
    group by session_key, item_id

),

clicked_impressions as (

    select
        session_key,
        nullif(item_id, '') as item_id,
        cast(clicked + recommendations_clicked_by_item + others_clicked_by_item as bigint) as clicked_impressions,
        cast(clicked_recommendations + recommendations_clicked_by_item as bigint) as clicked_recommendations
    from items

)

select * from clicked_impressions
where clicked_impressions > 0
