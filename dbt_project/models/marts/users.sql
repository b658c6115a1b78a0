{%- set devices = ['mobile', 'tablet', 'desktop', 'tv', 'other'] %}
{%- set reaction_rates = {
    'hover_rate': 'hovers', 'scroll_rate': 'scrolls', 'click_rate': 'clicks', 'video_rate': 'video_plays',
    'search_rate': 'searches', 'form_rate': 'form_starts', 'like_rate': 'likes'
} %}

with totals as (

    select * from {{ ref('user_totals') }}

),

categories as (

    select
        *,
        sum(strength) over (partition by user_id) as all_strength,
        sum(views) over (partition by user_id) as all_views
    from {{ ref('user_categories') }}

),

tastes as (

    select
        user_id,
        max_by(category, case when strength > 0 then row(strength, category) end) as top_category,
        {{ map_of('category', 'round(strength / all_strength, 6)', 'category is not null and strength > 0') }} as category_affinities,
        {{ map_of('category', 'round(views / all_views, 6)', 'category is not null and views > 0') }} as category_shares,
        round(-sum(case when strength > 0 then strength / all_strength * ln(strength / all_strength) else 0 end), 6) as category_entropy,
        round(sum(price_views) / nullif(sum(priced_views), 0), 6) as mean_price_viewed,
        sum(priced_views) as product_views
    from categories
    group by user_id

),

timed as (

    select
        *,
        {{ days_between('first_seen_at', as_of()) }} as tenure_days,
        {{ days_between('last_seen_at', as_of()) }} as recency_days,
        greatest({{ days_between('first_seen_at', 'last_seen_at') }}, 1) as observed_days
    from totals

)

select
    -- who
    timed.user_id,
    timed.is_known,
    timed.devices,

    -- recency, frequency, money
    timed.first_seen_at,
    timed.last_seen_at,
    round(timed.tenure_days, 6) as tenure_days,
    round(timed.recency_days, 6) as recency_days,
    timed.sessions,
    timed.active_days,
    round(timed.active_days / greatest(timed.tenure_days, 1), 6) as frequency,
    timed.revenue as monetary,
    case
        when timed.recency_days >= {{ var('inactive_days') }} then 'inactive'
        when timed.tenure_days < {{ var('new_days') }} then 'new'
        when timed.active_days / timed.observed_days >= {{ var('frequent_active_share') }} then 'frequent'
        else 'occasional'
    end as engagement_class,

    -- how much
    timed.events,
    {% for name in measure_names() -%}
    timed.{{ name }},
    {% endfor -%}
    timed.engaged_seconds,
    timed.bounces,
    timed.converted_sessions,
    timed.rage_clicks,
    timed.dead_clicks,

    -- in what manner
    round(timed.page_views / timed.sessions, 6) as views_per_session,
    round(timed.session_seconds_total / timed.sessions, 6) as session_seconds,
    round(timed.engaged_seconds / nullif(timed.page_views, 0), 6) as engaged_seconds_per_view,
    timed.mean_scroll_depth,
    {% for rate, name in reaction_rates.items() -%}
    round(timed.{{ name }} / nullif(timed.page_views, 0), 6) as {{ rate }},
    {% endfor -%}
    round(timed.bounces / timed.sessions, 6) as bounce_rate,
    timed.recommendation_impressions,
    round(timed.recommendation_clicks / nullif(timed.recommendation_impressions, 0), 6) as recommendation_ctr,

    -- when, in local time
    timed.sessions_by_local_hour,
    map_from_entries([
        {% for daypart in var('dayparts') -%}
        {'k': '{{ daypart }}', 'v': round(timed.page_views_{{ daypart }} / nullif(timed.page_views, 0), 6)}{{ ',' if not loop.last }}
        {% endfor -%}
    ]) as daypart_shares,
    case
        when timed.sessions < {{ var('daypart_min_sessions') }} then 'none'
        {% for daypart in var('dayparts') -%}
        when timed.sessions_{{ daypart }} >= {{ var('daypart_min_share') }} * timed.sessions and timed.sessions_{{ daypart }} >= greatest(
            {%- for other in var('dayparts') %}timed.sessions_{{ other }}{{ ', ' if not loop.last }}{% endfor -%}
        ) then '{{ daypart }}'
        {% endfor -%}
        else 'none'
    end as daypart,
    round(timed.weekend_sessions / timed.sessions, 6) as weekend_share,
    timed.timezone,

    -- where and with what
    timed.device_type,
    map_from_entries([
        {% for device in devices -%}
        {'k': '{{ device }}', 'v': round(timed.page_views_{{ device }} / nullif(timed.page_views, 0), 6)}{{ ',' if not loop.last }}
        {% endfor -%}
    ]) as device_shares,
    timed.language,
    timed.country,
    timed.region,
    timed.city,
    timed.channel,

    -- tastes
    tastes.top_category,
    tastes.category_affinities,
    tastes.category_shares,
    tags.tag_affinities,
    tastes.category_entropy,
    tastes.mean_price_viewed,
    coalesce(tastes.product_views, 0) as product_views,

    -- consent
    coalesce(timed.consents, []) as consents,
    coalesce(timed.personalization_decision, list_contains(timed.consents, 'personalization'), false) as has_personalization_consent
from timed
left join tastes on timed.user_id = tastes.user_id
left join {{ ref('user_tags') }} as tags on timed.user_id = tags.user_id
