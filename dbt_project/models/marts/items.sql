{{ items_from(ref('stg_items'), ref('user_items'), ref('int_page_views'), as_of()) }}
