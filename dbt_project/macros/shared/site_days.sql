{# Days of the site: the setting `site_timezone` says where midnight is. #}

{% macro site_date(timestamp) -%}
    {#- The date at the site of a time in UTC. -#}
    {%- if var('site_timezone') == 'UTC' -%}
    cast({{ timestamp }} as date)
    {%- else -%}
    cast({{ local_time(timestamp, "'" ~ var('site_timezone') ~ "'") }} as date)
    {%- endif -%}
{%- endmacro %}
