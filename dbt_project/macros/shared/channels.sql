{# Channels: how a page view came about. #}

{% macro channel_of(page_url, referrer, properties) -%}
    {#- The channel that the tracker names, else utm_medium, else the first channel of the setting `referrer_channels` that has
        a pattern which the referrer matches. Most page views name nothing: those are recognised without parsing. -#}
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
                {% for channel, patterns in var('referrer_channels').items() -%}
                when {{ matches_any(referrer, patterns) }} then '{{ channel }}'
                {% endfor -%}
                else 'referral'
            end
        )
    end
{%- endmacro %}

{% macro host_of(url) -%}
    split_part({{ url }}, '/', 3)
{%- endmacro %}

{% macro matches_any(text, patterns) -%}
    {#- Whether the text is like one of the patterns of SQL; never where there are none. -#}
    {%- set like = text ~ ' like ' -%}
    {{ like ~ "'" ~ patterns | join("' or " ~ like ~ "'") ~ "'" if patterns else 'false' }}
{%- endmacro %}
