{# Measures: what a person did, counted over events. The marts sessions and experiment_outcomes count the same things. #}

{% macro likes() -%}
    {{ return(['like', 'bookmark', 'share', 'comment', 'follow']) }}
{%- endmacro %}

{% macro dislikes() -%}
    {{ return(['dislike', 'not_interested']) }}
{%- endmacro %}

{% macro count_of(event_types) -%}
    {#- The number of events of one type or of a list of types. -#}
    {%- set types = [event_types] if event_types is string else event_types -%}
    count(case when event_type in ({{ text_list(types) }}) then 1 end)
{%- endmacro %}

{% macro conversions() -%}
    {{ return(['add_to_cart', 'remove_from_cart', 'checkout', 'purchase', 'signup', 'subscribe']) }}
{%- endmacro %}

{% macro is_purchase() -%}
    {#- What was given away or has no amount was bought all the same; a refund is no purchase. -#}
    event_type = 'purchase' and not is_refund
{%- endmacro %}

{% macro purchases() -%}
    {#- The lines of an order are one purchase. -#}
    count(distinct case when {{ is_purchase() }} and {{ counts_as_conversion() }} then order_id end)
{%- endmacro %}

{% macro revenue() -%}
    coalesce({{ net_sum("case when event_type = 'purchase' and " ~ counts_as_conversion() ~ " then amount end") }}, 0)
{%- endmacro %}

{% macro unconverted_purchases() -%}
    {#- Purchases whose amount stands in no revenue, since no rate of its currency is known. -#}
    count(distinct case when {{ is_purchase() }} and {{ is_unconverted() }} and {{ counts_as_conversion() }} then order_id end)
{%- endmacro %}

{% macro claimed_purchases() -%}
    count(distinct case when {{ is_purchase() }} and {{ is_claim() }} then order_id end)
{%- endmacro %}

{% macro claimed_revenue() -%}
    coalesce({{ net_sum("case when event_type = 'purchase' and " ~ is_claim() ~ " then amount end") }}, 0)
{%- endmacro %}

{% macro measures() -%}
    {{ count_of('page_view') }} as page_views,
    {{ count_of('impression') }} as impressions,
    {{ count_of('click') }} as clicks,
    count(case when event_type = 'click' and recommendation_id is not null then 1 end) as recommendation_clicks,
    {{ count_of('add_to_cart') }} as add_to_carts,
    {{ count_of('checkout') }} as checkouts,
    {{ purchases() }} as purchases,
    {{ revenue() }} as revenue,
    {{ unconverted_purchases() }} as unconverted_purchases,
    {{ claimed_purchases() }} as claimed_purchases,
    {{ claimed_revenue() }} as claimed_revenue,
    {{ count_of('signup') }} as signups,
    {{ count_of('subscribe') }} as subscribes,
    {{ count_of(likes()) }} as likes,
    {{ count_of('bookmark') }} as bookmarks,
    {{ count_of('share') }} as shares,
    {{ count_of('comment') }} as comments,
    {{ count_of(dislikes()) }} as dislikes,
    {{ count_of('search') }} as searches,
    {{ count_of('form_start') }} as form_starts,
    {{ count_of('form_submit') }} as form_submits,
    {{ count_of('video_play') }} as video_plays
{%- endmacro %}

{% macro attention_sources() -%}
    {#- The sources that report attention; of others, no attention is no evidence that there was none. -#}
    (select distinct source from {{ ref('int_attention_sources') }})
{%- endmacro %}

{% macro dwell_seconds() -%}
    {#- How long a page was looked at: what the tracker says when the page is left, else the attention that its pings add up
        to; null where neither came. -#}
    coalesce(exit_seconds, case when heartbeats > 0 then engaged_seconds end)
{%- endmacro %}
