{{ config(materialized='table') }}

with manifest as (

    select part_id, part_path, rows, replaces from {{ live_parts() }} as manifest

),

replaced as (

    select explode_replaces.part_id from {{ exploded('manifest', 'replaces', 'part_id') }} as explode_replaces

)

select part_id, part_path, rows
from manifest
where rows > 0 and part_id not in (select part_id from replaced)
