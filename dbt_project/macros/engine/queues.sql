{# Queues: the keys that a model has still to rebuild. README.md of the dbt project explains the engine. Each kind of queue
   is a table state.queue_<kind> with one row per reading model and key; a row without a key means every key. #}

{% macro queue_kinds() -%}
    {#- Kind of queue → its key's columns with their types. -#}
    {{ return({
        'devices': {'device_id': 'varchar'},
        'people': {'person_id': 'varchar'},
        'sessions': {'session_key': 'ubigint'},
        'pairs': {'user_id': 'varchar', 'item_id': 'varchar'},
        'users': {'user_id': 'varchar'},
        'tastes': {'user_id': 'varchar'},
        'funnel_sessions': {'session_key': 'ubigint'},
        'funnel_users': {'user_id': 'varchar'},
        'view_days': {'date': 'date'},
        'session_days': {'date': 'date'}
    }) }}
{%- endmacro %}

{% macro prepare_state() -%}
    {%- if target.type == 'duckdb' -%}
    create schema if not exists state;
    create table if not exists state.models (name varchar);
    create table if not exists state.taken_parts (model varchar, part_path varchar, fingerprint varchar);
    {% for kind, columns in queue_kinds().items() -%}
    create table if not exists state.queue_{{ kind }} (
        model varchar
        {%- for name, type in columns.items() %},
        {{ name }} {{ type }}
        {%- endfor %}
    );
    {% endfor -%}
    {%- else -%}
    create table if not exists {{ relation_of_moment() }} (as_of timestamp)
    {%- endif -%}
{%- endmacro %}

{% macro readers_of(kind) -%}
    {#- Names of the models that read the queue. -#}
    {%- set readers = [] -%}
    {%- if not execute -%}{{ return(readers) }}{%- endif -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.get('meta', {}).get('reads_queue') == kind -%}
        {%- do readers.append(node.name) -%}
    {%- endfor -%}
    {{ return(readers | sort) }}
{%- endmacro %}

{% macro enqueue(kind, keys) -%}
    {#- Put the keys that the query selects into the queue of every model that reads this kind. -#}
    insert into state.queue_{{ kind }}
    select
        readers.model,
        keys.*
    from ({{ keys }}) as keys
    cross join (select unnest([{{ text_list(readers_of(kind)) }}]::varchar[]) as model) as readers
{%- endmacro %}

{% macro enqueue_every_key(kind) -%}
    {#- For the time before a build in full: nothing that the readers hold can be trusted any more. -#}
    insert into state.queue_{{ kind }} by name
    select unnest([{{ text_list(readers_of(kind)) }}]::varchar[]) as model
{%- endmacro %}

{% macro queued_keys(model_name) -%}
    {#- A query for the keys that the model has still to rebuild. -#}
    {%- set kind = meta_of(model_name).reads_queue -%}
    select {{ queue_kinds()[kind] | join(', ') }} from state.queue_{{ kind }}
    where model = '{{ model_name }}'
{%- endmacro %}

{% macro rebuilds_every_key(model_name) -%}
    {#- Whether this run writes the whole model: it was never built, is built in full, or its queue holds a row without a key. -#}
    {%- if not is_built(model_name) -%}{{ return(true) }}{%- endif -%}
    {%- set first_column = queue_kinds()[meta_of(model_name).reads_queue] | first -%}
    {%- set every_key = 'select count(*) from (' ~ queued_keys(model_name) ~ ') as keys where ' ~ first_column ~ ' is null' -%}
    {{ return(values_of(every_key)[0] > 0) }}
{%- endmacro %}

{% macro rows_to_rebuild(relation, key) -%}
    {#- The rows of the relation that this run has to read: those whose key is in the queue of this model, or all of them.
        `key` names the columns that match the key of the queue, in its order. -#}
    {%- if rebuilds_every_key(model.name) -%}
    {{ relation }}
    {%- else -%}
    (
        select * from {{ relation }}
        where ({{ key }}) in ({{ queued_keys(model.name) }})
    )
    {%- endif -%}
{%- endmacro %}

{% macro commit_queue(model_name) -%}
    delete from state.queue_{{ meta_of(model_name).reads_queue }}
    where model = '{{ model_name }}'
{%- endmacro %}
