{{ config(materialized=kept(), incremental_strategy='replace_candidates', post_hook='{{ commit_parts() }}') }}
{#- Event ids are compared here, in full; the keys only say where to look. -#}
{%- set paths = paths_of('select distinct part_path from ' ~ ref('stg_event_repeat_candidates') ~ ' where part_row is not null order by 1') %}

with copies as (

    select
        {{ key_of(['events.event_id']) }} as event_key,
        events.event_id,
        events.received_at,
        events.event_type,
        events.occurred_at,
        events.value,
        events.item_id,
        events.user_id,
        events.anonymous_id,
        events.page_url,
        events.properties,
        events.part_path,
        events.part_row
    from {{ read_events(source('event_log', 'events'), paths) }} as events
    inner join {{ ref('stg_event_repeat_candidates') }} as candidates
        on events.part_path = candidates.part_path and events.part_row = candidates.part_row

),

ranked as (

    select
        event_key,
        event_id,
        part_path,
        part_row,
        row_number() over first_received as copy_number,
        first_value(part_path) over first_received as kept_path
    from copies
    window first_received as (
        partition by event_id
        order by
            received_at, event_type, occurred_at,
            {% for column in ['value', 'item_id', 'user_id', 'anonymous_id', 'page_url', 'properties'] -%}
            {{ column }} nulls last,
            {% endfor -%}
            part_path, part_row
    )

)

select event_key, event_id, part_path, part_row, kept_path from ranked
where copy_number > 1
