{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={
        'reads_queue': 'sessions', 'keys': ['session_key'],
        'fills_queues': {'users': 'user_id', 'session_days': site_date('started_at')}
    }
) }}

with events as (

    select * from {{ session_events() }} as events

),

session_buckets as (

    select * from {{ rows_to_rebuild(ref('int_session_buckets'), 'session_key') }} as session_buckets

),

page_views as (

    select * from {{ rows_to_rebuild(ref('int_page_views'), 'session_key') }} as page_views

),

-- Attention to pages that were opened in an earlier session, or of which no view was sent.
other_attention as (

    select
        session_key,
        sum(engaged_seconds) as engaged_seconds,
        sum(heartbeats) as heartbeats
    from {{ rows_to_rebuild(ref('int_page_engagement'), 'session_key') }} as engagement
    where path_position is null
    group by session_key

),

attention_sources as (

    select * from {{ attention_sources() }} as sources

),

micro_interactions as (

    select * from {{ rows_to_rebuild(ref('int_micro_interactions'), 'session_key') }} as micro_interactions

),

control_events as (

    select * from {{ rows_to_rebuild(ref('int_control_events'), 'session_key') }} as control_events

),

clicked_impressions as (

    select
        session_key,
        cast(sum(clicked_impressions) as bigint) as clicked_impressions,
        cast(sum(clicked_recommendations) as bigint) as clicked_recommendations
    from {{ rows_to_rebuild(ref('int_impressions_clicked'), 'session_key') }} as clicked_impressions
    group by session_key

),

described_events as (

    select
        events.*,
        {{ moment_of('occurred_at', 'event_id') }} as moment,
        case when event_type = 'page_view' then {{ channel_of('page_url', 'referrer', 'properties') }} end as channel,
        attention_sources.source is not null as reports_attention
    from events
    left join attention_sources on coalesce(events.source, '') = attention_sources.source

),

measured_sessions as (

    select
        session_key,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as events,
        {{ measures() }},
        count(case when event_type = 'impression' and recommendation_id is not null then 1 end) as recommendation_impressions,
        bool_or(user_id is not null) as is_known,
        bool_or(reports_attention) as reports_attention,
        {{ earliest('device_type', 'moment') }} as device_type,
        {{ earliest('os', 'moment') }} as os,
        {{ earliest('browser', 'moment') }} as browser,
        {{ earliest('screen_width', 'moment') }} as screen_width,
        {{ earliest('language', 'moment') }} as language,
        {{ earliest('timezone', 'moment') }} as timezone,
        {{ earliest('country', 'moment') }} as country,
        {{ earliest('region', 'moment') }} as region,
        {{ earliest('city', 'moment') }} as city,
        {{ earliest('network_type', 'moment') }} as network_type,
        {{ earliest('channel', 'moment') }} as channel,
        {{ earliest('source', 'moment') }} as source,
        {{ latest('consent', 'moment') }} as consents
    from described_events
    group by session_key

),

decisions as (

    select
        session_key,
        max(occurred_at) as personalization_decided_at,
        {{ latest('personalization_decision', moment_of('occurred_at', 'event_id')) }} as personalization_decision,
        {{ decided_at_by_authority() }}
    from control_events
    where personalization_decision is not null
    group by session_key

),

time_zones as (

    {{ time_zones() }}

),

owners as (

    select
        session_key,
        min(device_id) as device_id,
        min(person_id) as person_id,
        min(trusted_session_id) as client_session_id,
        bool_or(is_bot) as is_bot,
        bool_or(is_internal) as is_internal
    from session_buckets
    group by session_key

),

-- Repeats of a view are left out here, while `measures` counts their events.
paths as (

    select
        session_key,
        count(*) as page_views,
        bool_or(is_bounce) as is_bounce,
        count(distinct {{ key_of(['page_key']) }}) as pages,
        {{ rounded('sum(engaged_seconds)', 3) }} as engaged_seconds,
        cast(sum(heartbeats) as bigint) as heartbeats,
        max(scroll_depth) as scroll_depth,
        min(case when path_position = 1 then page_key end) as landing_page,
        min(case when next_page_key is null then page_key end) as exit_page,
        min(case when path_position = 1 then page_url end) as landing_url
    from page_views
    group by session_key

),

described_sessions as (

    select
        -- ids
        md5(concat_ws(
            '|', owners.device_id, owners.person_id, {{ epoch_micros('measured.started_at') }}, owners.client_session_id
        )) as session_id,
        measured.session_key,
        owners.person_id as user_id,
        owners.device_id,
        owners.client_session_id,
        measured.is_known,
        owners.is_bot,
        owners.is_internal,

        -- when
        measured.started_at,
        measured.ended_at,
        {{ local_time('measured.started_at', "coalesce(time_zones.name, '" ~ var('site_timezone') ~ "')") }} as local_started_at,
        {{ seconds_between('measured.started_at', 'measured.ended_at') }} as duration_seconds,

        -- how much
        measured.events,
        coalesce(paths.page_views, 0) as page_views,
        measured.impressions,
        measured.clicks,
        measured.recommendation_clicks,
        measured.add_to_carts,
        measured.checkouts,
        measured.purchases,
        measured.revenue,
        measured.unconverted_purchases,
        measured.claimed_purchases,
        measured.claimed_revenue,
        measured.signups,
        measured.subscribes,
        measured.likes,
        measured.bookmarks,
        measured.shares,
        measured.comments,
        measured.dislikes,
        measured.searches,
        measured.form_starts,
        measured.form_submits,
        measured.video_plays,
        measured.recommendation_impressions,
        coalesce(clicked_impressions.clicked_impressions, 0) as clicked_impressions,
        coalesce(clicked_impressions.clicked_recommendations, 0) as clicked_recommendations,
        coalesce(paths.pages, 0) as pages,
        case
            when measured.reports_attention or coalesce(paths.engaged_seconds, other_attention.engaged_seconds) is not null
                then {{ rounded('coalesce(paths.engaged_seconds, 0) + coalesce(other_attention.engaged_seconds, 0)', 3) }}
        end as engaged_seconds,
        cast(coalesce(paths.heartbeats, 0) + coalesce(other_attention.heartbeats, 0) as bigint) as heartbeats,
        paths.scroll_depth,

        -- path
        paths.landing_page,
        paths.exit_page,
        coalesce(paths.is_bounce, false) as is_bounce,
        nullif({{ url_parameter('paths.landing_url', 'utm_campaign') }}, '') as campaign,
        nullif({{ url_parameter('paths.landing_url', 'utm_source') }}, '') as campaign_source,
        coalesce(measured.channel, 'direct') as channel,

        -- context
        measured.device_type,
        measured.os,
        measured.browser,
        measured.screen_width,
        measured.language,
        time_zones.name as timezone,
        measured.country,
        measured.region,
        measured.city,
        measured.network_type,
        measured.source,

        -- micro-interactions
        coalesce(micro.hovers, 0) as hovers,
        coalesce(micro.hover_seconds, 0) as hover_seconds,
        coalesce(micro.cursor_px, 0) as cursor_px,
        coalesce(micro.scrolls, 0) as scrolls,
        coalesce(micro.scroll_reversals, 0) as scroll_reversals,
        coalesce(micro.rage_clicks, 0) as rage_clicks,
        coalesce(micro.dead_clicks, 0) as dead_clicks,
        coalesce(micro.form_abandons, 0) as form_abandons,
        coalesce(micro.video_quartile, 0) as video_quartile,
        micro.signals_before_conversion,

        -- funnel
        measured.purchases > 0 as is_converted,
        micro.converted_at,
        case
            when measured.purchases > 0 then 'purchase'
            when measured.checkouts > 0 then 'checkout'
            when measured.add_to_carts > 0 then 'cart'
            when paths.page_views > 0 then 'view'
        end as funnel_stage,

        -- consent
        measured.consents,
        decisions.personalization_decided_at,
        decisions.personalization_decision,
        decisions.refused_by_browser_at,
        decisions.refused_by_signed_at,
        decisions.refused_by_server_at,
        decisions.granted_by_browser_at,
        decisions.granted_by_signed_at,
        decisions.granted_by_server_at
    from measured_sessions as measured
    inner join owners on measured.session_key = owners.session_key
    left join paths on measured.session_key = paths.session_key
    left join other_attention on measured.session_key = other_attention.session_key
    left join micro_interactions as micro on measured.session_key = micro.session_key
    left join clicked_impressions on measured.session_key = clicked_impressions.session_key
    left join decisions on measured.session_key = decisions.session_key
    left join time_zones on measured.timezone = time_zones.name

),

sessions_with_daypart as (

    select
        *,
        cast(date_part('hour', local_started_at) as integer) as local_hour,
        {{ daypart_of("date_part('hour', local_started_at)") }} as daypart
    from described_sessions

)

select * from sessions_with_daypart
