{{ catalogue_as_of(ref('stg_item_descriptions')) }}
