{# Strategies: how the rows that a run selected replace those that the model held, and who is told. README.md of the dbt
   project explains which one to choose. dbt runs the hooks and the statements of a model in one transaction. #}

{% macro incremental_or_table() -%}
    {#- Models follow changes on DuckDB alone; other engines build them in full each time. -#}
    {{ return('incremental' if target.type == 'duckdb' else 'table') }}
{%- endmacro %}

{% macro view_or_table() -%}
    {#- For models of all events. Spark plans and computes a view anew in every model that reads it. -#}
    {{ return('view' if target.type == 'duckdb' else 'table') }}
{%- endmacro %}

{% macro announce_full_build() -%}
    {#- Pre-hook of every model: the readers of the queues that it fills have to rebuild everything after a build in full. -#}
    {%- if execute and target.type == 'duckdb' and not is_built(this.identifier) -%}
        {%- for kind in meta_of(this.identifier).get('fills_queues', {}) %}
    {{ enqueue_every_key(kind) }};
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro commit_progress() -%}
    {#- Post-hook of every model: it holds the live parts now, or the keys of its queue. -#}
    {%- if execute and target.type == 'duckdb' -%}
        {%- set meta = meta_of(this.identifier) -%}
        {%- if meta.get('reads_parts') -%}
    {{ commit_parts(this.identifier) }}
        {%- elif meta.get('reads_queue') -%}
    {{ commit_queue(this.identifier) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro get_incremental_replace_parts_sql(args) -%}
    {#- The rows of parts that left the log or changed make room for those of the parts that this run read. -#}
    {%- set outdated = 'where part_path in (' ~ outdated_parts(this.identifier) ~ ')' -%}
    {{ enqueue_changes(args, outdated) }}
    {{ replace_rows(args, outdated) }}
{%- endmacro %}

{% macro get_incremental_replace_queued_sql(args) -%}
    {#- The rows of the queue's keys make room for those that this run selected. -#}
    {%- set outdated = '' -%}
    {%- if not rebuilds_every_key(this.identifier) -%}
        {%- set outdated = 'where (' ~ config.get('meta')['keys'] | join(', ') ~ ') in (' ~ queued_keys(this.identifier) ~ ')' -%}
    {%- endif -%}
    {{ enqueue_changes(args, outdated) }}
    {{ replace_rows(args, outdated) }}
{%- endmacro %}

{% macro get_incremental_replace_candidates_sql(args) -%}
    {#- The events that stg_event_repeat_candidates names are judged anew. -#}
    {{ replace_rows(args, 'where event_key in (select event_key from ' ~ ref('stg_event_repeat_candidates') ~ ')') }}
{%- endmacro %}

{% macro get_incremental_replace_items_sql(args) -%}
    {#- The catalogue is written whole; people who met an item that changed are queued. -#}
    {%- if is_built('user_items') -%}
        {%- set people_who_met_changed_items -%}
            select distinct user_id from {{ relation_of('user_items') }}
            where item_id in (
                select coalesce(old_items.item_id, new_items.item_id)
                from {{ args.target_relation }} as old_items
                full join {{ args.temp_relation }} as new_items on old_items.item_id = new_items.item_id
                where
                    (old_items.category, old_items.tags, old_items.price, old_items.site_price)
                    is distinct from (new_items.category, new_items.tags, new_items.price, new_items.site_price)
            )
        {%- endset -%}
    {{ enqueue('tastes', people_who_met_changed_items) }};
    {%- endif %}
    {{ replace_rows(args, '') }}
{%- endmacro %}

{% macro get_incremental_replace_rates_sql(args) -%}
    {#- The rates are written whole; the sessions with money of which the rate changed are queued. -#}
    {%- if is_built('int_purchases_summed') -%}
        {%- set sessions_with_changed_rates -%}
            select distinct purchases.session_key
            from {{ relation_of('int_purchases_summed') }} as purchases
            {% for name, relation in {'old_rates': args.target_relation, 'new_rates': args.temp_relation}.items() -%}
            left join {{ relation }} as {{ name }}
                on
                    purchases.currency = {{ name }}.currency
                    and purchases.date >= {{ name }}.valid_from and purchases.date < {{ name }}.valid_until
            {% endfor -%}
            where old_rates.rate is distinct from new_rates.rate
        {%- endset -%}
    {{ enqueue('sessions', sessions_with_changed_rates) }};
    {%- endif %}
    {{ replace_rows(args, '') }}
{%- endmacro %}

{% macro get_incremental_replace_attention_sources_sql(args) -%}
    {#- The sources of parts that left the log or changed make room for those of the parts that this run read. Every session
        is queued when there are other sources than before. -#}
    {%- set outdated = 'part_path in (' ~ outdated_parts(this.identifier) ~ ')' -%}
    {%- set before = 'select source from ' ~ args.target_relation -%}
    {%- set after -%}
        (
            select source from {{ args.target_relation }} where not {{ outdated }}
            union
            select source from {{ args.temp_relation }}
        )
    {%- endset -%}
    {%- set changes -%}
        ({{ before }} except {{ after }}) union all ({{ after }} except {{ before }})
    {%- endset -%}
    insert into state.queue_sessions by name
    select model
    from (select unnest([{{ text_list(readers_of('sessions')) }}]::varchar[]) as model)
    where exists (select 1 from ({{ changes }}));
    {{ replace_rows(args, 'where ' ~ outdated) }}
{%- endmacro %}

{% macro get_incremental_replace_funnel_steps_sql(args) -%}
    {#- The steps are written whole. When they differ, which a step that is sent for the first time brings about, every
        session and every person is queued: the numbers of the steps after it are others. -#}
    {%- set before = 'select * from ' ~ args.target_relation -%}
    {%- set after = 'select * from ' ~ args.temp_relation -%}
    {%- set changes -%}
        ({{ before }} except {{ after }}) union all ({{ after }} except {{ before }})
    {%- endset -%}
    {%- for kind in config.get('meta')['fills_queues'] %}
    insert into state.queue_{{ kind }} by name
    select model
    from (select unnest([{{ text_list(readers_of(kind)) }}]::varchar[]) as model)
    where exists (select 1 from ({{ changes }}));
    {%- endfor %}
    {{ replace_rows(args, '') }}
{%- endmacro %}

{% macro replace_rows(args, outdated) -%}
    delete from {{ args.target_relation }} {{ outdated }};
    insert into {{ args.target_relation }} by name
    select * from {{ args.temp_relation }}
{%- endmacro %}

{% macro enqueue_changes(args, outdated) -%}
    {#- Fill the queues of the model's `fills_queues`. A kind that stands with columns gets the key of every row that leaves or
        comes; with a list, each column of the list is a key. A kind that stands with {key, content} gets the keys whose rows have another content than before. -#}
    {%- for kind, change in config.get('meta').get('fills_queues', {}).items() -%}
        {%- if change is not mapping -%}
            {%- set keys -%}
                {% for columns in ([change] if change is string else change) -%}
                select {{ columns }} from {{ args.target_relation }} {{ outdated }}
                union
                select {{ columns }} from {{ args.temp_relation }}
                {{ 'union' if not loop.last }}
                {% endfor -%}
            {%- endset -%}
        {%- else -%}
            {%- set keys -%}
                select coalesce(old_rows.key, new_rows.key) as key
                from ({{ content_by_key(change, args.target_relation, outdated) }}) as old_rows
                full join ({{ content_by_key(change, args.temp_relation, '') }}) as new_rows on old_rows.key = new_rows.key
                where old_rows.content is distinct from new_rows.content
            {%- endset -%}
        {%- endif %}
    {{ enqueue(kind, keys) }};
    {%- endfor -%}
{%- endmacro %}

{% macro content_by_key(change, relation, condition) -%}
    {#- The hashes are summed, since two equal rows would cancel each other in an xor. -#}
    select
        {{ change['key'] }} as key,
        sum(hash({{ change['content'] | join(', ') }})) as content
    from {{ relation }} {{ condition }}
    group by key
{%- endmacro %}
