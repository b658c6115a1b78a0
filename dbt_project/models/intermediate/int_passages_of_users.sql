{{ config(
    materialized=kept(), incremental_strategy='replace_queued', post_hook='{{ commit_queue() }}',
    meta={'reads_queue': 'funnel_users', 'keys': ['user_id']}
) }}

{% set steps -%}
    (
        select * from {{ ref('int_funnel_steps') }}
        {% if not rebuilds_all('int_passages_of_users', 'funnel_users') %}
        where user_id in {{ queued('funnel_users', 'user_id') }}
        {% endif %}
    )
{%- endset -%}

{{ passages_from(steps, 'user') }}
