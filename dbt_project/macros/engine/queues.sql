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
    {{ describe_state() }}
    {%- else -%}
    create table if not exists {{ relation_of_moment() }} (as_of timestamp)
    {%- endif -%}
{%- endmacro %}

{% macro describe_state() -%}
    {#- Comments on the tables of the schema `state`, which belong to no model. -#}
    {%- set tables = {
        'models': ['Models that the project has built; one row per model.', {'name': 'Name of the model.'}],
        'taken_parts': ['Parts of the event log that a model holds; one row per model and part.', {
            'model': 'Name of the model.',
            'part_path': 'Path of the part in the event log.',
            'fingerprint': 'State in which the model read the part; another one means that it is to be read again.'
        }]
    } -%}
    {%- for kind, columns in queue_kinds().items() -%}
        {%- set described = {'model': 'Name of the model that has still to rebuild the key.'} -%}
        {%- for name in columns -%}
            {%- do described.update({name: 'Key to rebuild; null for every key.'}) -%}
        {%- endfor -%}
        {%- set text = 'Keys of the kind ' ~ kind ~ ' that models have still to rebuild; one row per model and key.' -%}
        {%- do tables.update({'queue_' ~ kind: [text, described]}) -%}
    {%- endfor -%}
    {%- for table, (text, columns) in tables.items() %}
    comment on table state.{{ table }} is '{{ text }}';
    {%- for name, meaning in columns.items() %}
    comment on column state.{{ table }}.{{ name }} is '{{ meaning }}';
    {%- endfor -%}
    {%- endfor -%}
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
