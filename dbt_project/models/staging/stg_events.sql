{#- Repeats of an event are left out: of all copies the one that was received first counts. -#}
{{ events_of(paths_of('select part_path from ' ~ ref('stg_event_parts') ~ ' order by 1')) }}
