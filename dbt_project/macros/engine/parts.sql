{# Parts: which files of the event log a model holds, and in what state it read them. README.md of the dbt project
   explains the engine. The table state.taken_parts has one row per model and part. #}

{% macro values_of(query) -%}
    {#- The values of the query's first column, as a list. -#}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}

{% macro meta_of(model_name) -%}
    {%- if not execute -%}{{ return({}) }}{%- endif -%}
    {{ return(graph.nodes['model.' ~ project_name ~ '.' ~ model_name].config.get('meta', {})) }}
{%- endmacro %}

{% macro is_built(model_name) -%}
    {#- Whether this run can build on the rows that the model holds, instead of building it in full. -#}
    {%- if not execute or flags.FULL_REFRESH or target.type != 'duckdb' -%}{{ return(false) }}{%- endif -%}
    {{ return(load_relation(relation_of(model_name)) is not none) }}
{%- endmacro %}

{% macro part_states(model_name) -%}
    {#- The live parts, each with the state in which the model would read it now. A model without repeats has to read a part
        again when other rows of it are repeats than before. The keys of events are hashes: should an upgrade of the engine
        change its hash function, the state changes for every part, and all are read again. -#}
    {%- if meta_of(model_name).get('reads_parts') == 'without_repeats' -%}
        select
            parts.part_path,
            count(repeats.part_row) || '-' || coalesce(bit_xor(hash(repeats.part_row)), 0) as state
        from {{ ref('stg_event_parts') }} as parts
        left join {{ ref('stg_event_repeats') }} as repeats on parts.part_path = repeats.part_path
        group by parts.part_path
    {%- else -%}
        select
            part_path,
            cast({{ key_of(["'probe'"]) }} as {{ dbt.type_string() }}) as state
        from {{ ref('stg_event_parts') }}
    {%- endif -%}
{%- endmacro %}

{% macro parts_to_read(model_name) -%}
    {#- Paths of the parts that the model does not hold in their present state; of all live parts where it is built in full. -#}
    {%- set unread -%}
        select parts.part_path
        from ({{ part_states(model_name) }}) as parts
        {% if is_built(model_name) -%}
        where not exists (
            select 1 from state.taken_parts as taken
            where taken.model = '{{ model_name }}' and taken.part_path = parts.part_path and taken.fingerprint = parts.state
        )
        {% endif -%}
        order by parts.part_path
    {%- endset -%}
    {{ return(values_of(unread)) }}
{%- endmacro %}

{% macro outdated_parts(model_name) -%}
    {#- A query for the parts whose rows the model has to drop: they left the log, or their state changed. -#}
    select taken.part_path
    from state.taken_parts as taken
    where taken.model = '{{ model_name }}' and not exists (
        select 1 from ({{ part_states(model_name) }}) as parts
        where parts.part_path = taken.part_path and parts.state = taken.fingerprint
    )
{%- endmacro %}

{% macro commit_parts(model_name) -%}
    delete from state.taken_parts
    where model = '{{ model_name }}';
    insert into state.taken_parts
    select
        '{{ model_name }}',
        part_path,
        state
    from ({{ part_states(model_name) }}) as parts
{%- endmacro %}
