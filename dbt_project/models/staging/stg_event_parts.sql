{{ config(materialized='table') }}

with manifest as (

    select
        part_id,
        part_path,
        rows,
        replaces
    from {{ live_parts() }} as manifest

),

replaced_parts as (

    select {{ each_of('replaces') }} as part_id from manifest

),

live_parts as (

    select
        part_id,
        part_path,
        rows
    from manifest
    where rows > 0 and part_id not in (select part_id from replaced_parts)

)

select * from live_parts
