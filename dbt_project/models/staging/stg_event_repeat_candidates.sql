{#- What stg_event_repeats has to judge in this run: every copy of an event that has a copy in a part that arrived, or
    had one in a part that left. -#}
{{ config(materialized='table') }}
{%- set arrived_paths, left_paths = parts_to_take('stg_event_repeats'), left_parts('stg_event_repeats') %}

with keys as (

    select event_key, part_path, part_row from {{ ref('stg_event_keys') }}

),

{% if is_built('stg_event_repeats') %}
arrived as (

    select event_key from keys
    where part_path in ({{ text_list(arrived_paths) }})

),

judged_before as (

    select event_key, part_path, kept_path from {{ this.schema }}.stg_event_repeats
    where
        part_path in ({{ left_paths }})
        or kept_path in ({{ left_paths }})

),

touched as (

    select event_key from arrived
    union
    select event_key from judged_before

),

copies as (

    select keys.event_key, keys.part_path, keys.part_row
    from keys
    where keys.event_key in (select event_key from touched)

),
{% else %}
copies as (

    select event_key, part_path, part_row from keys

),
{% endif %}

repeated as (

    select event_key from copies
    group by event_key
    having count(*) > 1

)

select event_key, part_path, part_row from copies
where event_key in (select event_key from repeated)
{% if is_built('stg_event_repeats') %}
union all
select event_key, part_path, null as part_row from judged_before
{% endif %}
