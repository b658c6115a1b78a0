{{ config(materialized='table_function', parameters='as_of') }}
{%- set people -%}
    (
        select user_id, {{ consent_from_sessions() }} as has_personalization_consent
        from {{ sessions_until('as_of') }}
        group by user_id
    )
{%- endset %}

{{ interactions_from(user_items_until('as_of'), people, 'as_of') }}
