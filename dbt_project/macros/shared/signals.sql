{# Signals: what an event says about the conversion that may follow it. #}

{% macro signal_of(event_type, element, query) -%}
    {#- The event type, with the element of the page that it hit; for a search, the first name of the setting `search_signals`
        that has a pattern which the query in lower case matches. -#}
    case
        {% for name, patterns in var('search_signals').items() -%}
        when {{ matches_any(query, patterns) }} then 'search:{{ name }}'
        {% endfor -%}
        when {{ element }} is not null then concat({{ event_type }}, ':', {{ element }})
        else {{ event_type }}
    end
{%- endmacro %}
