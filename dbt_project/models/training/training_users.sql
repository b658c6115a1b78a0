{{ config(materialized='table_function', parameters='as_of') }}

select * from {{ users_until('as_of') }} as users
where has_personalization_consent
