{#- What stg_event_repeats has to judge in this run: every copy of an event that has a copy in a part that arrived, or had
    one in a part that left. -#}
{{ config(materialized='table') }}
{%- set arrived_paths = parts_to_read('stg_event_repeats') %}

with keys as (

    select
        event_key,
        part_path,
        part_row
    from {{ ref('stg_event_keys') }}

),

{% if is_built('stg_event_repeats') -%}
outdated_parts as (

    {{ outdated_parts('stg_event_repeats') }}

),

outdated_repeats as (

    select
        event_key,
        part_path,
        cast(null as bigint) as part_row
    from {{ this.schema }}.stg_event_repeats
    where
        part_path in (select part_path from outdated_parts)
        or kept_path in (select part_path from outdated_parts)

),

touched_keys as (

    select event_key from keys
    where part_path in ({{ text_list(arrived_paths) }})
    union
    select event_key from outdated_repeats

),

copies as (

    select * from keys
    where event_key in (select event_key from touched_keys)

),

{% else -%}
copies as (

    select * from keys

),

{% endif -%}
repeated_keys as (

    select event_key from copies
    group by event_key
    having count(*) > 1

),

candidates as (

    select * from copies
    where event_key in (select event_key from repeated_keys)
    {% if is_built('stg_event_repeats') -%}
    union all
    select * from outdated_repeats
    {% endif %}

)

select * from candidates
