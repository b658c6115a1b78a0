{# Exactly once. A model never asks how old an event is: it asks what changed since its own last commit.

   Two kinds of memory, both in the schema `state`, each written in the transaction of the model it speaks of, so that
   a killed run leaves either all of a model's change or none:
   - taken_parts: which parts of the log a model holds, and what state they had when it took them;
   - queue_<kind>: the keys, of the kinds below, that a model has still to rebuild. Whoever changes something queues its
     keys for all that read it; the reader empties its queue when it commits. A null key means everything. A kind is
     filled by models that all its readers stand below, else a reader would have emptied its queue too early. #}

{% macro queue_kinds() -%}
    {#- Kind of queue → its columns with their types. -#}
    {{ return({
        'devices': {'device_id': 'varchar'},
        'sessions': {'session_key': 'ubigint'},
        'pairs': {'user_id': 'varchar', 'item_id': 'varchar'},
        'users': {'user_id': 'varchar'},
        'tastes': {'user_id': 'varchar'},
        'funnel_users': {'user_id': 'varchar'},
        'view_days': {'date': 'date'},
        'session_days': {'date': 'date'}
    }) }}
{%- endmacro %}

{% macro kept() -%}
    {#- How a model is kept that follows changes; engines without the two memories build it in full each time. -#}
    {{ return('incremental' if target.type == 'duckdb' else 'table') }}
{%- endmacro %}

{% macro prepare_state() %}
    {% if target.type == 'duckdb' %}
        create schema if not exists state;
        create table if not exists state.models (name varchar);
        create table if not exists state.taken_parts (model varchar, part_path varchar, fingerprint varchar);
        {%- for kind, columns in queue_kinds().items() %}
        create table if not exists state.queue_{{ kind }} (model varchar{% for name, type in columns.items() %}, {{ name }} {{ type }}{% endfor %});
        {%- endfor %}
    {% else %}
        select 1
    {% endif %}
{% endmacro %}

{# ---- parts ---- #}

{% macro expected_parts(fingerprint=false) -%}
    {#- Live parts with the state that a model would take them in now: which of their rows are repeats. -#}
    {%- if fingerprint -%}
        select
            parts.part_path,
            count(repeats.part_row) || '-' || coalesce(bit_xor(hash(repeats.part_row)), 0) as fingerprint
        from {{ ref('stg_event_parts') }} as parts
        left join {{ ref('stg_event_repeats') }} as repeats on parts.part_path = repeats.part_path
        group by parts.part_path
    {%- else -%}
        {#- The keys are hashes: should an upgrade change the hash function, every part is taken again. -#}
        select part_path, cast({{ key_of(["'probe'"]) }} as {{ dbt.type_string() }}) as fingerprint from {{ ref('stg_event_parts') }}
    {%- endif -%}
{%- endmacro %}

{% macro paths_of(query) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}

{% macro parts_to_take(model_name, fingerprint=false) -%}
    {#- Paths that the model does not hold in their present state; every live one where it is built in full. -#}
    {%- set expected = expected_parts(fingerprint) -%}
    {%- if execute and is_built(model_name) -%}
        {{ return(paths_of(
            "with expected as (" ~ expected ~ ") select part_path from expected where not exists (select 1 from state.taken_parts as taken"
            ~ " where taken.model = '" ~ model_name ~ "' and taken.part_path = expected.part_path"
            ~ " and taken.fingerprint = expected.fingerprint) order by 1"
        )) }}
    {%- else -%}
        {{ return(paths_of("with expected as (" ~ expected ~ ") select part_path from expected order by 1")) }}
    {%- endif -%}
{%- endmacro %}

{% macro is_built(model_name) -%}
    {#- Whether the model holds something to build on, in this run. -#}
    {%- if not execute or flags.FULL_REFRESH or target.type != 'duckdb' -%}{{ return(false) }}{%- endif -%}
    {{ return(load_relation(api.Relation.create(database=this.database, schema=this.schema, identifier=model_name)) is not none) }}
{%- endmacro %}

{% macro left_parts(model_name, fingerprint=false) -%}
    {#- Parts whose rows in the model no longer hold. -#}
    select taken.part_path from state.taken_parts as taken
    where taken.model = '{{ model_name }}' and not exists (
        select 1 from ({{ expected_parts(fingerprint) }}) as expected
        where expected.part_path = taken.part_path and expected.fingerprint = taken.fingerprint
    )
{%- endmacro %}

{% macro commit_parts(fingerprint=false) -%}
    {% if target.type == 'duckdb' %}
    delete from state.taken_parts where model = '{{ this.identifier }}';
    insert into state.taken_parts
    select '{{ this.identifier }}', part_path, fingerprint from ({{ expected_parts(fingerprint) }})
    {% endif %}
{%- endmacro %}

{% macro get_incremental_replace_parts_sql(args) -%}
    {%- set fingerprint = config.get('meta').get('fingerprint', false) -%}
    {%- if config.get('meta').get('queues') %}
    {{ enqueue('devices', 'select distinct device_id from ' ~ args.target_relation ~ ' where part_path in (' ~ left_parts(this.identifier, fingerprint) ~ ') union select device_id from ' ~ args.temp_relation) }};
    {%- endif %}
    delete from {{ args.target_relation }} where part_path in ({{ left_parts(this.identifier, fingerprint) }});
    insert into {{ args.target_relation }} by name select * from {{ args.temp_relation }}
{%- endmacro %}

{# ---- queues ---- #}

{% macro readers_of(kind) -%}
    {%- set readers = [] -%}
    {%- if not execute -%}{{ return(readers) }}{%- endif -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.get('meta', {}).get('reads_queue') == kind -%}
        {%- do readers.append(node.name) -%}
    {%- endfor -%}
    {{ return(readers | sort) }}
{%- endmacro %}

{% macro enqueue(kind, query) -%}
    {%- set readers = readers_of(kind) -%}
    insert into state.queue_{{ kind }}
    select readers.model, keys.*
    from ({{ query }}) as keys
    cross join (select unnest({{ readers | tojson | replace('"', "'") }}::varchar[]) as model) as readers
{%- endmacro %}

{% macro enqueue_everything(kind) -%}
    {#- Before a build in full: nothing that the readers hold can be trusted any more. -#}
    {%- if target.type == 'duckdb' and not is_built(this.identifier) %}
    insert into state.queue_{{ kind }} by name
    select unnest({{ readers_of(kind) | tojson | replace('"', "'") }}::varchar[]) as model
    {%- endif %}
{%- endmacro %}

{% macro commit_queue() -%}
    {%- if target.type == 'duckdb' -%}
    delete from state.queue_{{ config.get('meta')['reads_queue'] }} where model = '{{ this.identifier }}'
    {%- endif -%}
{%- endmacro %}

{% macro rebuilds_all(model_name, kind) -%}
    {#- Whether the model is to be written anew whole: never built, asked to, or told so through its queue. -#}
    {%- if not is_built(model_name) -%}{{ return(true) }}{%- endif -%}
    {%- set column = queue_kinds()[kind] | first -%}
    {%- set query = "select count(*) from state.queue_" ~ kind ~ " where model = '" ~ model_name ~ "' and " ~ column ~ " is null" -%}
    {{ return(run_query(query).columns[0].values()[0] > 0) }}
{%- endmacro %}

{% macro queued(kind, columns) -%}
    (select {{ columns }} from state.queue_{{ kind }} where model = '{{ this.identifier }}')
{%- endmacro %}

{% macro rows_to_rebuild(relation, kind, columns) -%}
    {#- What this model reads of a relation in this run: the rows of its queue's keys, or all of them. -#}
    (
        select * from {{ relation }}
        {%- if not rebuilds_all(this.identifier, kind) %}
        where ({{ columns }}) in {{ queued(kind, columns) }}
        {%- endif %}
    )
{%- endmacro %}

{% macro get_incremental_replace_queued_sql(args) -%}
    {#- meta: reads_queue, the kind; keys, its columns in the model; queues, kind → the columns that are told on of every
        row that leaves or comes, or {key, content}: those keys whose rows have another content than before. -#}
    {%- set meta = config.get('meta') -%}
    {%- set stale -%}
        {%- if not rebuilds_all(this.identifier, meta.reads_queue) -%}
            where ({{ meta['keys'] | join(', ') }}) in {{ queued(meta.reads_queue, meta.get('queue_columns', meta['keys']) | join(', ')) }}
        {%- endif -%}
    {%- endset -%}
    {%- for kind, told in meta.get('queues', {}).items() %}
    {%- if told is string %}
    {{ enqueue(kind, 'select ' ~ told ~ ' from ' ~ args.target_relation ~ ' ' ~ stale ~ ' union select ' ~ told ~ ' from ' ~ args.temp_relation) }};
    {%- else %}
    {{ enqueue(kind, 'select coalesce(before.key, after.key) from (' ~ contents_by_key(told, args.target_relation, stale)
        ~ ') as before full join (' ~ contents_by_key(told, args.temp_relation, '')
        ~ ') as after on before.key = after.key where before.content is distinct from after.content') }};
    {%- endif %}
    {%- endfor %}
    delete from {{ args.target_relation }} {{ stale }};
    insert into {{ args.target_relation }} by name select * from {{ args.temp_relation }}
{%- endmacro %}

{% macro contents_by_key(told, relation, stale) -%}
    {#- Summed, not xored: two equal rows must not cancel each other. -#}
    select
        {{ told['key'] }} as key,
        sum(hash({{ told['content'] | join(', ') }})) as content
    from {{ relation }} {{ stale }}
    group by key
{%- endmacro %}

{% macro get_incremental_replace_candidates_sql(args) -%}
    delete from {{ args.target_relation }} where event_key in (select event_key from {{ ref('stg_event_repeat_candidates') }});
    insert into {{ args.target_relation }} by name select * from {{ args.temp_relation }}
{%- endmacro %}

{% macro get_incremental_replace_devices_sql(args) -%}
    {#- Sessions whose rows differ before and after are queued; all others were rebuilt to what they were. -#}
    {%- set stale -%}
        {%- if not rebuilds_all(this.identifier, 'devices') %}where device_id in {{ queued('devices', 'device_id') }}{% endif -%}
    {%- endset %}
    {{ enqueue('sessions', 'select coalesce(before.session_key, after.session_key) as session_key from ('
        ~ session_fingerprints(args.target_relation, stale) ~ ') as before full join (' ~ session_fingerprints(args.temp_relation, '')
        ~ ') as after on before.session_key = after.session_key where before.fingerprint is distinct from after.fingerprint') }};
    delete from {{ args.target_relation }} {{ stale }};
    insert into {{ args.target_relation }} by name select * from {{ args.temp_relation }}
{%- endmacro %}

{% macro session_fingerprints(relation, stale) -%}
    select
        session_key,
        bit_xor(hash(user_id, anonymous_id, bucket, content, next_started_at, is_bot, is_internal)) as fingerprint
    from {{ relation }} {{ stale }}
    group by session_key
{%- endmacro %}

{% macro get_incremental_replace_items_sql(args) -%}
    {%- set pairs = api.Relation.create(database=this.database, schema=this.schema, identifier='user_items') -%}
    {%- if is_built('user_items') %}
    {{ enqueue('tastes', 'select distinct user_id from ' ~ pairs ~ ' where item_id in (select coalesce(before.item_id, after.item_id) from '
        ~ args.target_relation ~ ' as before full join ' ~ args.temp_relation ~ ' as after on before.item_id = after.item_id'
        ~ ' where (before.category, before.tags, before.price) is distinct from (after.category, after.tags, after.price))') }};
    {%- endif %}
    delete from {{ args.target_relation }};
    insert into {{ args.target_relation }} by name select * from {{ args.temp_relation }}
{%- endmacro %}
