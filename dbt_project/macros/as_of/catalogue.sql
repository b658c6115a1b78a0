{# The catalogue at the moment `as_of`, or without one as it is now; one row per item. `descriptions` names a relation with
   the columns of stg_item_descriptions.

   An item stands as it was last described by then. An item that was not described until later stands as it was first
   described: a catalogue is often loaded once, after the events that it belongs to. What was changed later is not seen. Of
   descriptions of one moment the contents decide, so that the answer is the same in whatever order files are read.

   A price stands as it was described, and in the currency of the site at the newest rate that was known. #}

{% macro catalogue_as_of(descriptions, as_of=none) -%}
with dated_descriptions as (

    select
        *,
        {{ 'updated_at' if as_of is none else 'case when updated_at <= ' ~ as_of ~ ' then updated_at end' }} as past_update_at
    from {{ descriptions }}

),

ranked_descriptions as (

    select
        *,
        row_number() over (
            partition by item_id
            order by
                past_update_at desc nulls last, updated_at asc nulls last,
                title asc nulls last, category asc nulls last, price asc nulls last, text asc nulls last
        ) as nearness_rank
    from dated_descriptions

),

newest_rates as (

    select
        currency,
        {{ latest('rate', 'valid_from') }} as rate
    from {{ ref('stg_exchange_rates') }}
    {% if as_of is not none -%}
    where valid_from <= {{ site_date(as_of) }}
    {% endif -%}
    group by currency

),

priced_descriptions as (

    select
        descriptions.item_id,
        descriptions.title,
        descriptions.text,
        descriptions.category,
        descriptions.tags,
        descriptions.price,
        descriptions.currency,
        descriptions.language,
        descriptions.features,
        descriptions.published_at,
        descriptions.updated_at,
        {{ rounded(in_site_currency('descriptions.price', 'newest_rates.rate'), 6) }} as site_price
    from ranked_descriptions as descriptions
    left join newest_rates on {{ currency_code('descriptions.currency') }} = newest_rates.currency
    where descriptions.nearness_rank = 1

)

select * from priced_descriptions
{%- endmacro %}
