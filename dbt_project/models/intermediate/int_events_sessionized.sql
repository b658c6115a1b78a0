{{ config(materialized='view') }}

{{ joined_to_sessions(ref('int_session_buckets'), ref('stg_events')) }}
