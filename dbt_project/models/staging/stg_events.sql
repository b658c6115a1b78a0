{#- Repeats of an event are left out: of all its copies, the one that was received first counts. -#}
{{ config(materialized=view_or_table()) }}
{%- set live_paths = values_of('select part_path from ' ~ ref('stg_event_parts') ~ ' order by part_path') -%}

with source as (

    select * from {{ read_events(source('event_log', 'events'), live_paths) }} as events

),

renamed as (

    {{ renamed_events('source') }}

)

select * from renamed
