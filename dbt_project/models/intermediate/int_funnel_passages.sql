{{ config(materialized='view') }}

select * from {{ ref('int_passages_of_sessions') }}
union all
select * from {{ ref('int_passages_of_users') }}
