{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'sessions', 'keys': ['session_key']}
) }}

{% set steps -%}
    (
        select * from {{ ref('int_funnel_steps') }}
        {% if not rebuilds_all('int_passages_of_sessions', 'sessions') %}
        where session_key in {{ queued('sessions', 'session_key') }}
        {% endif %}
    )
{%- endset -%}

{{ passages_from(steps, 'session') }}
