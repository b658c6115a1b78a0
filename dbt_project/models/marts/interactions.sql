{{ config(materialized='view') }}

{{ interactions_from(ref('user_items'), ref('users'), as_of()) }}
