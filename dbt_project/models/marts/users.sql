{#- A view: recency moves with every event of the log, and what lies beneath follows changes. -#}
{{ config(materialized='view') }}

{{ users_from(ref('user_totals'), ref('user_tastes'), ref('user_tags'), as_of()) }}
