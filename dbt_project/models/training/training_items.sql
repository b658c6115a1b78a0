{{ config(materialized='table_function', parameters='as_of') }}

{{ items_from(catalogue_until('as_of'), user_items_until('as_of'), page_views_until('as_of'), 'as_of') }}
