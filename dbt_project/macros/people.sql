{# The SQL of people, written once: the marts call it on what changed, the training frames on what was known by then. #}

{% macro user_totals_from(sessions) %}
select
    user_id,
    bool_or(is_known) as is_known,
    min(started_at) as first_seen_at,
    max(ended_at) as last_seen_at,
    count(*) as sessions,
    count(distinct cast(started_at as date)) as active_days,
    count(distinct device_id) as devices,
    cast(sum(events) as bigint) as events,
    {% for name in measure_names() if name != 'revenue' -%}
    cast(sum({{ name }}) as bigint) as {{ name }},
    {% endfor -%}
    {{ net_sum('revenue') }} as revenue,
    cast(sum(recommendation_impressions) as bigint) as recommendation_impressions,
    round(sum(engaged_seconds), 3) as engaged_seconds,
    round(sum(duration_seconds), 3) as session_seconds_total,
    count(case when is_bounce then 1 end) as bounces,
    count(case when is_converted then 1 end) as converted_sessions,
    cast(sum(hovers) as bigint) as hovers,
    cast(sum(scrolls) as bigint) as scrolls,
    round(avg(scroll_depth), 6) as mean_scroll_depth,
    cast(sum(rage_clicks) as bigint) as rage_clicks,
    cast(sum(dead_clicks) as bigint) as dead_clicks,
    [
        {% for hour in range(24) -%}
        count(case when local_hour = {{ hour }} then 1 end){{ ',' if not loop.last }}
        {% endfor -%}
    ] as sessions_by_local_hour,
    {% for daypart in var('dayparts') -%}
    cast(sum(case when daypart = '{{ daypart }}' then page_views else 0 end) as bigint) as page_views_{{ daypart }},
    count(case when daypart = '{{ daypart }}' then 1 end) as sessions_{{ daypart }},
    {% endfor -%}
    {% for device in ['mobile', 'tablet', 'desktop', 'tv', 'other'] -%}
    cast(sum(case when device_type = '{{ device }}' then page_views else 0 end) as bigint) as page_views_{{ device }},
    {% endfor -%}
    count(case when isodow(local_started_at) >= 6 then 1 end) as weekend_sessions,
    {% for column in ['device_type', 'language', 'timezone', 'country', 'region', 'city'] -%}
    max_by({{ column }}, case when {{ column }} is not null then moment end) as {{ column }},
    {% endfor -%}
    min_by(channel, moment) as channel,
    max_by(consents, case when consents is not null then moment end) as consents,
    {{ consent_from_sessions() }} as has_personalization_consent
from {{ sessions }}
group by user_id
{% endmacro %}

{% macro user_items_from(reactions) %}
with dated as (

    select
        *,
        max(last_at) over (partition by user_id, item_id) as pair_last_at
    from {{ reactions }}

)

select
    user_id,
    item_id,
    min(first_at) as first_at,
    max(last_at) as last_at,
    cast(sum(events) as bigint) as events,
    count(*) as sessions,
    cast(sum(views) as bigint) as views,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(likes) as bigint) as likes,
    cast(sum(dislikes) as bigint) as dislikes,
    cast(sum(add_to_carts) as bigint) as add_to_carts,
    cast(sum(purchases) as bigint) as purchases,
    {{ net_sum('revenue') }} as revenue,
    round(sum(engaged_seconds), 3) as engaged_seconds,
    max(rating) as rating,
    {{ net_sum('strength * ' ~ decay(days_between('last_at', 'pair_last_at'), var('interaction_half_life_days'))) }} as strength
from dated
group by user_id, item_id
{% endmacro %}

{% macro user_tastes_from(user_items) %}
with pairs as (

    select
        pairs.user_id,
        pairs.views,
        items.category,
        items.price,
        case when pairs.strength > 0 then pairs.strength * {{ decay(days_between('pairs.last_at', 'max(pairs.last_at) over (partition by pairs.user_id)'), var('interaction_half_life_days')) }} else 0 end as strength
    from {{ user_items }} as pairs
    inner join {{ ref('item_topics') }} as items on pairs.item_id = items.item_id

),

categories as (

    select
        user_id,
        category,
        cast(sum(views) as bigint) as views,
        round(sum(strength), 6) as strength,
        cast(coalesce(sum(case when price is not null then views end), 0) as bigint) as priced_views,
        round(sum(price * views), 6) as price_views
    from pairs
    group by user_id, category

),

categories_with_totals as (

    select
        *,
        sum(strength) over (partition by user_id) as all_strength,
        sum(views) over (partition by user_id) as all_views
    from categories

),

select
    user_id,
    max_by(category, case when strength > 0 then row(strength, category) end) as top_category,
    {{ map_of('category', 'round(strength / all_strength, 6)', 'category is not null and strength > 0') }} as category_affinities,
    {{ map_of('category', 'round(views / all_views, 6)', 'category is not null and views > 0') }} as category_shares,
    round(-sum(case when strength > 0 then strength / all_strength * ln(strength / all_strength) else 0 end), 6) as category_entropy,
    round(sum(price_views) / nullif(sum(priced_views), 0), 6) as mean_price_viewed,
    cast(sum(priced_views) as bigint) as product_views
from categories_with_totals
group by user_id
{% endmacro %}

{% macro user_tags_from(user_items) %}
with pairs as (

    select
        pairs.user_id,
        unnest(items.tags) as tag,
        pairs.strength * {{ decay(days_between('pairs.last_at', 'max(pairs.last_at) over (partition by pairs.user_id)'), var('interaction_half_life_days')) }} as strength
    from {{ user_items }} as pairs
    inner join {{ ref('item_topics') }} as items on pairs.item_id = items.item_id
    where pairs.strength > 0

),

tags as (

    select
        user_id,
        tag,
        round(sum(strength), 6) as strength
    from pairs
    group by user_id, tag

),

ranked as (

    select
        *,
        sum(strength) over (partition by user_id) as total,
        row_number() over (partition by user_id order by strength desc, tag) as tag_rank
    from tags

)

select
    user_id,
    {{ map_of('tag', 'round(strength / total, 6)') }} as tag_affinities
from ranked
where tag_rank <= {{ var('affinity_tags') }} and total > 0
group by user_id
{% endmacro %}

{% macro users_from(totals, tastes, tags, as_of) %}
{%- set devices = ['mobile', 'tablet', 'desktop', 'tv', 'other'] %}
{%- set reaction_rates = {
    'hover_rate': 'hovers', 'scroll_rate': 'scrolls', 'click_rate': 'clicks', 'video_rate': 'video_plays',
    'search_rate': 'searches', 'form_rate': 'form_starts', 'like_rate': 'likes',
    'bookmark_rate': 'bookmarks', 'share_rate': 'shares', 'comment_rate': 'comments'
} %}

with timed as (

    select
        *,
        {{ days_between('first_seen_at', as_of) }} as tenure_days,
        {{ days_between('last_seen_at', as_of) }} as recency_days,
        greatest({{ days_between('first_seen_at', 'last_seen_at') }}, 1) as observed_days
    from {{ totals }} as totals

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
    timed.has_personalization_consent
from timed
left join {{ tastes }} as tastes on timed.user_id = tastes.user_id
left join {{ tags }} as tags on timed.user_id = tags.user_id
{% endmacro %}

{% macro consent_from_sessions() -%}
    {#- The last grant or withdrawal counts; where there is none, what the newest event says. -#}
    coalesce(
        max_by(
            personalization_decision,
            case when personalization_decision is not null then row(personalization_decided_at, session_id) end
        ),
        list_contains(max_by(consents, case when consents is not null then moment end), 'personalization'),
        false
    )
{%- endmacro %}

{% macro counted_sessions(condition) -%}
    (
        select
            *,
            row(ended_at, session_id) as moment
        from {{ ref('sessions') }}
        where {{ counts_in_marts() }} and {{ condition }}
    ) as sessions
{%- endmacro %}
