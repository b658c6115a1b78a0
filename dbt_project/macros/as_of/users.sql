{# What is known of each person at the moment `as_of`; one row per person. The other arguments name relations with the
   columns of the models of these names. #}

{% macro users_as_of(user_totals, user_tastes, user_tags, as_of) -%}
with dated_totals as (

    select
        *,
        {{ days_between('first_seen_at', as_of) }} as days_since_first_event,
        {{ days_between('last_seen_at', as_of) }} as days_since_last_event,
        active_days - 1 as return_days,
        greatest({{ dates_between(site_date('first_seen_at'), site_date(as_of)) }}, active_days - 1, 1)
            as observed_days
    from {{ user_totals }} as user_totals

),

-- The first day is left out of the share: that somebody came on the day on which we first saw them says nothing.
totals_with_frequency as (

    select
        *,
        {{ ratio('return_days', 'observed_days') }} as frequency,
        {{ share_bound('return_days', 'observed_days', 'low') }} as frequency_low,
        {{ share_bound('return_days', 'observed_days', 'high') }} as frequency_high
    from dated_totals

),

described_users as (

    select
        -- who
        totals.user_id,
        totals.is_known,
        totals.devices,

        -- recency, frequency, money
        totals.first_seen_at,
        totals.last_seen_at,
        {{ rounded('totals.days_since_first_event', 6) }} as tenure_days,
        {{ rounded('totals.days_since_last_event', 6) }} as recency_days,
        totals.sessions,
        totals.active_days,
        totals.observed_days,
        totals.frequency,
        totals.frequency_low,
        totals.frequency_high,
        totals.revenue as monetary,
        case
            when totals.days_since_first_event < {{ var('new_days') }} then 'new'
            when totals.return_days = 0 then 'one-time'
            when totals.days_since_last_event >= {{ var('inactive_days') }} then 'inactive'
            when totals.frequency_low >= {{ var('frequent_active_share') }} then 'frequent'
            else 'occasional'
        end as engagement_class,

        -- how much
        totals.events,
        totals.page_views,
        totals.impressions,
        totals.clicks,
        totals.recommendation_clicks,
        totals.add_to_carts,
        totals.checkouts,
        totals.purchases,
        totals.revenue,
        totals.unconverted_purchases,
        totals.claimed_purchases,
        totals.claimed_revenue,
        totals.signups,
        totals.subscribes,
        totals.likes,
        totals.bookmarks,
        totals.shares,
        totals.comments,
        totals.dislikes,
        totals.searches,
        totals.form_starts,
        totals.form_submits,
        totals.video_plays,
        totals.engaged_seconds,
        totals.bounces,
        totals.converted_sessions,
        totals.rage_clicks,
        totals.dead_clicks,

        -- in what manner
        {{ ratio('totals.page_views', 'totals.sessions') }} as views_per_session,
        {{ ratio('totals.session_seconds_total', 'totals.sessions') }} as session_seconds,
        {{ ratio('totals.engaged_seconds', 'totals.measured_page_views') }} as engaged_seconds_per_view,
        totals.mean_scroll_depth,
        {{ ratio('totals.hovers', 'totals.page_views') }} as hover_rate,
        {{ ratio('totals.scrolls', 'totals.page_views') }} as scroll_rate,
        {{ ratio('totals.clicks', 'totals.page_views') }} as click_rate,
        {{ ratio('totals.video_plays', 'totals.page_views') }} as video_rate,
        {{ ratio('totals.searches', 'totals.page_views') }} as search_rate,
        {{ ratio('totals.form_starts', 'totals.page_views') }} as form_rate,
        {{ ratio('totals.likes', 'totals.page_views') }} as like_rate,
        {{ ratio('totals.bookmarks', 'totals.page_views') }} as bookmark_rate,
        {{ ratio('totals.shares', 'totals.page_views') }} as share_rate,
        {{ ratio('totals.comments', 'totals.page_views') }} as comment_rate,
        {{ ratio('totals.bounces', 'totals.sessions') }} as bounce_rate,
        totals.recommendation_impressions,
        {{ ratio('totals.clicked_recommendations', 'totals.recommendation_impressions') }} as recommendation_ctr,

        -- when, in local time
        totals.sessions_by_local_hour,
        {{ shares_of_page_views(var('dayparts')) }} as daypart_shares,
        case
            when totals.sessions < {{ var('daypart_min_sessions') }} then 'none'
            {% for daypart in var('dayparts') -%}
            when
                totals.sessions_{{ daypart }} >= {{ var('daypart_min_share') }} * totals.sessions
                and totals.sessions_{{ daypart }} >= greatest(
                    {% for other in var('dayparts') -%}
                    totals.sessions_{{ other }}{{ ',' if not loop.last }}
                    {% endfor -%}
                )
                then '{{ daypart }}'
            {% endfor -%}
            else 'none'
        end as daypart,
        {{ ratio('totals.weekend_sessions', 'totals.sessions') }} as weekend_share,
        totals.timezone,

        -- where and with what
        totals.device_type,
        {{ shares_of_page_views(['mobile', 'tablet', 'desktop', 'tv', 'other']) }} as device_shares,
        totals.language,
        totals.country,
        totals.region,
        totals.city,
        totals.channel,

        -- tastes
        tastes.top_category,
        tastes.category_affinities,
        tastes.category_shares,
        tags.tag_affinities,
        tastes.category_entropy,
        tastes.mean_price_viewed,
        coalesce(tastes.product_views, 0) as product_views,

        -- consent
        coalesce(totals.consents, {{ list_of([]) }}) as consents,
        totals.has_personalization_consent
    from totals_with_frequency as totals
    left join {{ user_tastes }} as tastes on totals.user_id = tastes.user_id
    left join {{ user_tags }} as tags on totals.user_id = tags.user_id

)

select * from described_users
{%- endmacro %}

{% macro shares_of_page_views(names) -%}
    {#- A map from each name to the share of the page views that the column page_views_<name> of `totals` counts. -#}
    {%- set shares = {} -%}
    {%- for name in names -%}
        {%- do shares.update({name: ratio('totals.page_views_' ~ name, 'totals.page_views')}) -%}
    {%- endfor -%}
    {{ map_literal(shares) }}
{%- endmacro %}
