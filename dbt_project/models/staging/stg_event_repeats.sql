{#- Event ids are compared here in full, with their senders; their keys only say where to look. -#}
{{ config(
    materialized=incremental_or_table(), incremental_strategy='replace_candidates',
    meta={'reads_parts': 'with_repeats'}
) }}
{%- set paths = values_of(
    'select distinct part_path from ' ~ ref('stg_event_repeat_candidates') ~ ' where part_row is not null order by part_path'
) %}

with source as (

    select * from {{ read_events(source('event_log', 'events'), paths) }} as events

),

candidates as (

    select * from {{ ref('stg_event_repeat_candidates') }}

),

copies as (

    select
        {{ key_of(['source.event_id']) }} as event_key,
        {{ event_id_of_sender('source') }} as event_id,
        {{ authority_rank('source.authority') }} as authority_rank,
        source.received_at,
        source.event_type,
        source.occurred_at,
        source.value,
        source.item_id,
        source.user_id,
        source.anonymous_id,
        source.page_url,
        source.properties,
        source.part_path,
        source.part_row
    from source
    inner join candidates on source.part_path = candidates.part_path and source.part_row = candidates.part_row

),

ranked_copies as (

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
            authority_rank, received_at, event_type, occurred_at,
            value nulls last, item_id nulls last, user_id nulls last, anonymous_id nulls last,
            page_url nulls last, properties nulls last,
            part_path, part_row
    )

),

repeats as (

    select
        event_key,
        event_id,
        part_path,
        part_row,
        kept_path
    from ranked_copies
    where copy_number > 1

)

select * from repeats
-- depends_on: {{ ref('stg_event_parts') }}
