{# The catalogue at the moment `as_of`, or without one as it is now; one row per item. `descriptions` names a relation with
   the columns of stg_item_descriptions.

   An item stands as it was last described by then. An item that was not described until later stands as it was first
   described: a catalogue is often loaded once, after the events that it belongs to. What was changed later is not seen. Of
   descriptions of one moment the contents decide, so that the answer is the same in whatever order files are read. #}

{% macro catalogue_as_of(descriptions, as_of=none) -%}
with ranked_descriptions as (

    select
        *,
        row_number() over (
            partition by item_id
            order by
                {% if as_of is not none -%}
                case when updated_at <= {{ as_of }} then updated_at end desc nulls last,
                updated_at,
                {% else -%}
                updated_at desc nulls last,
                {% endif -%}
                title nulls last, category nulls last, price nulls last, text nulls last
        ) as nearness_rank
    from {{ descriptions }}

),

known_descriptions as (

    select
        item_id,
        title,
        text,
        category,
        tags,
        price,
        currency,
        language,
        features,
        published_at,
        updated_at
    from ranked_descriptions
    where nearness_rank = 1

)

select * from known_descriptions
{%- endmacro %}
