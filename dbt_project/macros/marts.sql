{# What several marts share. #}

{% macro days_between(earlier, later) -%}({{ seconds_between(earlier, later) }} / 86400){%- endmacro %}

{% macro decay(age_days, half_life_days) -%}pow(0.5, {{ age_days }} / {{ half_life_days }}){%- endmacro %}

{% macro ratio(numerator, denominator) -%}
    {#- One number per another; null where there is nothing to divide by. -#}
    round({{ numerator }} / nullif({{ denominator }}, 0), 6)
{%- endmacro %}

{% macro net_sum(value) -%}
    {#- Sum of what may cancel, as a purchase and its refund do. Some orders of addition round to -0.0, which becomes 0.0. -#}
    round(sum({{ value }}), 6) + 0.0
{%- endmacro %}

{% macro count_of(types) -%}
    count(case when event_type {% if types is string %}= '{{ types }}'{% else %}in ({{ text_list(types) }}){% endif %} then 1 end)
{%- endmacro %}

{% macro daypart_of(hour) -%}
    {#- Hours of the local clock; a night belongs to two dates and to one daypart. -#}
    case
        {%- for daypart, hours in var('dayparts').items() %}
        when {{ hour }} >= {{ hours[0] }} {{ 'and' if hours[0] < hours[1] else 'or' }} {{ hour }} < {{ hours[1] }} then '{{ daypart }}'
        {%- endfor %}
    end
{%- endmacro %}

{% macro measures() -%}
    {#- What a person did, counted over events; the measures of user_days and experiment_outcomes. -#}
    {{ count_of('page_view') }} as page_views,
    {{ count_of('impression') }} as impressions,
    {{ count_of('click') }} as clicks,
    count(case when event_type = 'click' and recommendation_id is not null then 1 end) as recommendation_clicks,
    {{ count_of('add_to_cart') }} as add_to_carts,
    {{ count_of('checkout') }} as checkouts,
    count(case when event_type = 'purchase' and value > 0 then 1 end) as purchases,
    coalesce({{ net_sum("case when event_type = 'purchase' then value end") }}, 0) as revenue,
    {{ count_of('signup') }} as signups,
    {{ count_of('subscribe') }} as subscribes,
    {{ count_of(['like', 'bookmark', 'share', 'comment', 'follow']) }} as likes,
    {{ count_of('bookmark') }} as bookmarks,
    {{ count_of('share') }} as shares,
    {{ count_of('comment') }} as comments,
    {{ count_of(['dislike', 'not_interested']) }} as dislikes,
    {{ count_of('search') }} as searches,
    {{ count_of('form_start') }} as form_starts,
    {{ count_of('form_submit') }} as form_submits,
    {{ count_of('video_play') }} as video_plays
{%- endmacro %}

{% macro measure_names() -%}
    {{ return(['page_views', 'impressions', 'clicks', 'recommendation_clicks', 'add_to_carts', 'checkouts', 'purchases', 'revenue',
        'signups', 'subscribes', 'likes', 'bookmarks', 'shares', 'comments', 'dislikes', 'searches', 'form_starts', 'form_submits', 'video_plays']) }}
{%- endmacro %}

{% macro channel_of(page_url, referrer, properties) -%}
    {#- How a page view came about: the channel that the tracker names, else utm_medium, else the first pattern of the setting
        that the referrer matches. Most page views name nothing, which is seen without parsing. -#}
    case
        when
            {{ referrer }} is null
            and coalesce({{ page_url }} not like '%utm_medium=_%', true)
            and coalesce({{ properties }} not like '%"channel"%', true)
            then 'direct'
        else coalesce(
            {{ json_text(properties, 'channel') }},
            nullif({{ url_parameter(page_url, 'utm_medium') }}, ''),
            case
                when {{ referrer }} is null then 'direct'
                when {{ host_of(referrer) }} = {{ host_of(page_url) }} then 'internal'
                {%- for channel, patterns in var('referrer_channels').items() %}
                when {% for pattern in patterns %}{{ referrer }} like '{{ pattern }}'{{ ' or ' if not loop.last }}{% endfor %} then '{{ channel }}'
                {%- endfor %}
                else 'referral'
            end
        )
    end
{%- endmacro %}

{% macro host_of(url) -%}split_part({{ url }}, '/', 3){%- endmacro %}
