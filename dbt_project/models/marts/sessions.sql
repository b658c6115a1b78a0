with events as (

    select
        session_key, person_id, device_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as events,
        count(*) filter (where event_type = 'click') as clicks,
        count(*) filter (where event_type = 'impression') as impressions,
        count(*) filter (where event_type = 'search') as searches,
        count(*) filter (where event_type = 'add_to_cart') as add_to_carts,
        count(*) filter (where event_type = 'checkout') as checkouts,
        count(*) filter (where event_type = 'purchase' and value > 0) as purchases,
        coalesce(sum(value) filter (where event_type = 'purchase'), 0) as revenue,
        coalesce(sum(value) filter (where event_type = 'hover'), 0) / 1000 as hover_seconds,
        coalesce(sum(value) filter (where event_type = 'cursor'), 0) as cursor_px,
        count(*) filter (where event_type = 'form_start') as form_starts,
        count(*) filter (where event_type = 'form_abandon') as form_abandons,
        count(*) filter (where event_type = 'video_play') as video_plays,
        min_by(device_type, occurred_at) as device_type,
        min_by(os, occurred_at) as os,
        min_by(browser, occurred_at) as browser,
        min_by(language, occurred_at) as language,
        min_by(timezone, occurred_at) as timezone,
        min_by(country, occurred_at) as country,
        min_by(region, occurred_at) as region,
        min_by(city, occurred_at) as city,
        min_by(network_type, occurred_at) as network_type,
        min_by(coalesce({{ json_text('properties', 'channel') }}, regexp_extract(page_url, '[?&]utm_medium=([^&#]*)', 1)), occurred_at) filter (where event_type = 'page_view') as channel,
        max_by(list_contains(consent, 'personalization'), occurred_at) as has_personalization_consent,
        bool_or(user_id is not null) as is_known
    from {{ ref('int_events_sessionized') }}
    group by session_key, person_id, device_id

),

pages as (

    select
        session_key,
        count(*) as page_views,
        count(distinct page_key) as pages,
        sum(engaged_seconds) as engaged_seconds,
        max(scroll_depth) as scroll_depth,
        max(page_key) filter (where is_entry) as landing_page,
        max(page_key) filter (where is_exit) as exit_page
    from {{ ref('int_page_views') }}
    group by session_key

)

select
    md5(concat_ws('|', events.device_id, events.person_id, cast(events.started_at as varchar))) as session_id,
    events.person_id as user_id,
    events.* exclude (person_id, session_key),
    {{ seconds_between('events.started_at', 'events.ended_at') }} as duration_seconds,
    coalesce(pages.page_views, 0) as page_views,
    coalesce(pages.pages, 0) as pages,
    coalesce(pages.engaged_seconds, 0) as engaged_seconds,
    pages.scroll_depth,
    pages.landing_page,
    pages.exit_page,
    coalesce(pages.page_views, 0) = 1 as is_bounce,
    {{ local_time('events.started_at', "coalesce(events.timezone, 'UTC')") }} as local_started_at,
    date_part('hour', {{ local_time('events.started_at', "coalesce(events.timezone, 'UTC')") }}) as local_hour,
    events.purchases > 0 as is_converted,
    case when purchases > 0 then 'purchase' when checkouts > 0 then 'checkout' when add_to_carts > 0 then 'cart' when page_views > 0 then 'view' end as funnel_stage
from events
left join pages on events.session_key = pages.session_key
