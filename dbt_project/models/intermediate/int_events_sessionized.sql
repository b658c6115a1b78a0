{{ config(materialized='view') }}

{{ joined_to_sessions('') }}
