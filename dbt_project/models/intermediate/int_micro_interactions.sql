{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_queued',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

with events as (

    select
        session_key,
        event_type,
        occurred_at,
        {{ moment_of('occurred_at', 'event_id') }} as moment,
        page_key,
        value,
        case when event_type in ('click', 'hover') then {{ json_text('properties', 'element') }} end as element,
        case when event_type = 'click' then {{ json_text('properties', 'has_effect') }} end as has_effect,
        case when event_type = 'search' then lower({{ json_text('properties', 'query') }}) end as query
    from {{ session_events() }} as events
    where (
        event_type like 'custom:%'
        or event_type in (
            'click', 'hover', 'scroll', 'cursor', 'form_start', 'form_submit', 'form_abandon', 'video_play', 'video_progress',
            'search', 'checkout', 'purchase'
        )
    ) and (event_type <> 'purchase' or ({{ is_purchase() }} and {{ counts_as_conversion() }}))

),

conversions as (

    select
        session_key,
        min(occurred_at) as converted_at
    from events
    where event_type in ('checkout', 'purchase')
    group by session_key

),

clicks_and_scrolls as (

    select
        session_key,
        event_type,
        occurred_at,
        moment,
        value,
        {{ key_of(['session_key', 'event_type', 'page_key', 'element']) }} as target
    from events
    where event_type in ('click', 'scroll')

),

gestures as (

    select
        session_key,
        event_type,
        occurred_at,
        value,
        lag(occurred_at, 2) over same_target as two_before_at,
        lag(value) over same_target as value_before,
        lag(value, 2) over same_target as value_two_before
    from clicks_and_scrolls
    window same_target as (partition by target order by moment)

),

recognized_gestures as (

    select
        session_key,
        occurred_at,
        case
            when
                event_type = 'click'
                and {{ seconds_between('two_before_at', 'occurred_at') }} <= {{ var('rage_click_seconds') }}
                then 'rage_click'
            when
                event_type = 'scroll'
                and (value - value_before) * (value_before - coalesce(value_two_before, 0)) < 0
                then 'scroll_reversal'
        end as gesture
    from gestures

),

bursts as (

    select
        session_key,
        count(case when gesture = 'rage_click' then 1 end) as rage_clicks,
        count(case when gesture = 'scroll_reversal' then 1 end) as scroll_reversals
    from recognized_gestures
    group by session_key

),

possible_signals as (

    select
        session_key,
        occurred_at,
        case
            when event_type in ('custom:rage_click', 'custom:dead_click', 'custom:scroll_reversal')
                then replace(event_type, 'custom:', '')
            else {{ signal_of('event_type', 'element', 'query') }}
        end as signal,
        true as is_reported
    from events
    where event_type not in ('checkout', 'purchase', 'cursor')

    union all

    select
        session_key,
        occurred_at,
        gesture as signal,
        false as is_reported
    from recognized_gestures
    where gesture is not null

    union all

    select
        session_key,
        occurred_at,
        'dead_click' as signal,
        false as is_reported
    from events
    where event_type = 'click' and has_effect = 'false'

),

totals as (

    select
        session_key,
        count(case when event_type = 'hover' then 1 end) as hovers,
        {{ rounded("coalesce(sum(case when event_type = 'hover' then value end), 0) / 1000", 3) }} as hover_seconds,
        {{ rounded("coalesce(sum(case when event_type = 'cursor' then value end), 0)", 3) }} as cursor_px,
        count(case when event_type = 'scroll' then 1 end) as scrolls,
        greatest(
            count(case when event_type = 'custom:dead_click' then 1 end),
            count(case when event_type = 'click' and has_effect = 'false' then 1 end)
        ) as dead_clicks,
        count(case when event_type = 'custom:rage_click' then 1 end) as reported_rage_clicks,
        count(case when event_type = 'custom:scroll_reversal' then 1 end) as reported_scroll_reversals,
        count(case when event_type = 'form_abandon' then 1 end) as form_abandons,
        cast(coalesce(max(case when event_type = 'video_progress' then least(floor(value / 25), 4) end), 0) as integer)
            as video_quartile
    from events
    group by session_key

),

signals as (

    select
        possible_signals.session_key,
        possible_signals.signal,
        greatest(count(case when is_reported then 1 end), count(case when not is_reported then 1 end)) as times
    from possible_signals
    left join conversions on possible_signals.session_key = conversions.session_key
    where conversions.converted_at is null or possible_signals.occurred_at < conversions.converted_at
    group by possible_signals.session_key, possible_signals.signal

),

signal_maps as (

    select
        session_key,
        {{ map_of('signal', 'times') }} as signals_before_conversion
    from signals
    group by session_key

),

micro_interactions as (

    select
        totals.session_key,
        totals.hovers,
        totals.hover_seconds,
        totals.cursor_px,
        totals.scrolls,
        greatest(coalesce(bursts.scroll_reversals, 0), totals.reported_scroll_reversals) as scroll_reversals,
        greatest(coalesce(bursts.rage_clicks, 0), totals.reported_rage_clicks) as rage_clicks,
        totals.dead_clicks,
        totals.form_abandons,
        totals.video_quartile,
        conversions.converted_at,
        signal_maps.signals_before_conversion
    from totals
    left join bursts on totals.session_key = bursts.session_key
    left join conversions on totals.session_key = conversions.session_key
    left join signal_maps on totals.session_key = signal_maps.session_key

)

select * from micro_interactions
