{{ config(materialized='view') }}

{{ interactions_from(ref('user_items'), ref('user_totals'), as_of()) }}
