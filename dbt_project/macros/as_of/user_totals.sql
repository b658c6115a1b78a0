{# Sums over each person's sessions; one row per person. `sessions` names a relation with the columns of the mart sessions;
   of those that marts leave out, only refusals of personalization count. #}

{% macro user_totals_as_of(sessions) -%}
{%- set sessions_of_hours = [] -%}
{%- for hour in range(24) -%}
    {%- do sessions_of_hours.append('count(case when local_hour = ' ~ hour ~ ' then 1 end)') -%}
{%- endfor -%}
with sessions_in_order as (

    select
        *,
        {{ pair_of('ended_at', 'session_id') }} as moment
    from {{ sessions }}
    where {{ counts_in_marts() }}

),

refusals as (

    select
        user_id,
        max(refused_by_browser_at) as refused_by_browser_at,
        max(refused_by_signed_at) as refused_by_signed_at,
        max(refused_by_server_at) as refused_by_server_at
    from {{ sessions }}
    where coalesce(refused_by_browser_at, refused_by_signed_at, refused_by_server_at) is not null
    group by user_id

),

totals as (

    select
        user_id,
        bool_or(is_known) as is_known,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        count(*) as sessions,
        count(distinct {{ site_date('started_at') }}) as active_days,
        count(distinct device_id) as devices,

        -- how much
        cast(sum(events) as bigint) as events,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(recommendation_impressions) as bigint) as recommendation_impressions,
        cast(sum(recommendation_clicks) as bigint) as recommendation_clicks,
        cast(sum(clicked_recommendations) as bigint) as clicked_recommendations,
        cast(sum(add_to_carts) as bigint) as add_to_carts,
        cast(sum(checkouts) as bigint) as checkouts,
        cast(sum(purchases) as bigint) as purchases,
        {{ net_sum('revenue') }} as revenue,
        cast(sum(unconverted_purchases) as bigint) as unconverted_purchases,
        cast(sum(claimed_purchases) as bigint) as claimed_purchases,
        {{ net_sum('claimed_revenue') }} as claimed_revenue,
        cast(sum(signups) as bigint) as signups,
        cast(sum(subscribes) as bigint) as subscribes,
        cast(sum(likes) as bigint) as likes,
        cast(sum(bookmarks) as bigint) as bookmarks,
        cast(sum(shares) as bigint) as shares,
        cast(sum(comments) as bigint) as comments,
        cast(sum(dislikes) as bigint) as dislikes,
        cast(sum(searches) as bigint) as searches,
        cast(sum(form_starts) as bigint) as form_starts,
        cast(sum(form_submits) as bigint) as form_submits,
        cast(sum(video_plays) as bigint) as video_plays,
        {{ rounded('sum(engaged_seconds)', 3) }} as engaged_seconds,
        cast(sum(case when engaged_seconds is not null then page_views end) as bigint) as measured_page_views,
        {{ rounded('sum(duration_seconds)', 3) }} as session_seconds_total,
        count(case when is_bounce then 1 end) as bounces,
        count(case when is_converted then 1 end) as converted_sessions,

        -- in what manner
        cast(sum(hovers) as bigint) as hovers,
        cast(sum(scrolls) as bigint) as scrolls,
        {{ rounded('avg(scroll_depth)', 6) }} as mean_scroll_depth,
        cast(sum(rage_clicks) as bigint) as rage_clicks,
        cast(sum(dead_clicks) as bigint) as dead_clicks,

        -- when, in local time
        {{ list_of(sessions_of_hours) }} as sessions_by_local_hour,
        {% for daypart in var('dayparts') -%}
        cast(sum(case when daypart = '{{ daypart }}' then page_views else 0 end) as bigint) as page_views_{{ daypart }},
        count(case when daypart = '{{ daypart }}' then 1 end) as sessions_{{ daypart }},
        {% endfor -%}
        count(case when {{ iso_weekday('local_started_at') }} >= 6 then 1 end) as weekend_sessions,
        {{ latest('timezone', 'moment') }} as timezone,

        -- where and with what: the newest value that is known
        cast(sum(case when device_type = 'mobile' then page_views else 0 end) as bigint) as page_views_mobile,
        cast(sum(case when device_type = 'tablet' then page_views else 0 end) as bigint) as page_views_tablet,
        cast(sum(case when device_type = 'desktop' then page_views else 0 end) as bigint) as page_views_desktop,
        cast(sum(case when device_type = 'tv' then page_views else 0 end) as bigint) as page_views_tv,
        cast(sum(case when device_type = 'other' then page_views else 0 end) as bigint) as page_views_other,
        {{ latest('device_type', 'moment') }} as device_type,
        {{ latest('language', 'moment') }} as language,
        {{ latest('country', 'moment') }} as country,
        {{ latest('region', 'moment') }} as region,
        {{ latest('city', 'moment') }} as city,
        {{ earliest('channel', 'moment') }} as channel,

        -- consent
        {{ latest('consents', 'moment') }} as newest_consents,
        max(granted_by_browser_at) as granted_by_browser_at,
        max(granted_by_signed_at) as granted_by_signed_at,
        max(granted_by_server_at) as granted_by_server_at
    from sessions_in_order
    group by user_id

),

totals_with_refusals as (

    select
        totals.*,
        refusals.* {{ without(['user_id']) }}
    from totals
    left join refusals on totals.user_id = refusals.user_id

),

-- Where no refusal stands, the newest event that lists purposes decides.
totals_with_consent as (

    select
        * {{ without(['newest_consents']) }},
        case
            when {{ has_standing_refusal() }}
                then {{ list_without('newest_consents', "'personalization'") }}
            else newest_consents
        end as consents,
        case
            when {{ has_standing_refusal() }} then false
            else {{ array_has('newest_consents', "'personalization'") }}
        end as has_personalization_consent
    from totals_with_refusals

)

select * from totals_with_consent
{%- endmacro %}
