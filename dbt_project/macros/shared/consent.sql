{# Consent to personalization. A refusal stands until somebody of the same or a higher authority grants again; a browser is
   worth less than a token of the site's server, and that less than the server. A refusal always counts. #}

{% macro authorities_of_consent() -%}
    {#- Name → the authorities that it stands for, from the least. -#}
    {{ return({'browser': ['browser'], 'signed': ['signed'], 'server': ['server', 'service']}) }}
{%- endmacro %}

{% macro decided_at_by_authority() -%}
    {#- When each authority last refused and last granted, of rows with a decision. -#}
    {% for decision, condition in {'refused': 'not personalization_decision', 'granted': 'personalization_decision'}.items() -%}
    {% set is_last_decision = loop.last -%}
    {% for name, authorities in authorities_of_consent().items() -%}
    max(case when {{ condition }} and coalesce(authority, 'server') in ({{ text_list(authorities) }}) then occurred_at end)
        as {{ decision }}_by_{{ name }}_at{{ ',' if not (loop.last and is_last_decision) }}
    {% endfor -%}
    {% endfor -%}
{%- endmacro %}

{% macro has_standing_refusal() -%}
    {#- Of a moment that holds both a refusal and a grant, the refusal counts. -#}
    {%- set names = authorities_of_consent() | list -%}
    (
        {% for name in names -%}
        coalesce(
            refused_by_{{ name }}_at
            >= greatest(
                {% for grantor in names[loop.index0:] -%}
                granted_by_{{ grantor }}_at,
                {% endfor -%}
                null
            ),
            refused_by_{{ name }}_at is not null
        ){{ ' or' if not loop.last }}
        {% endfor -%}
    )
{%- endmacro %}
