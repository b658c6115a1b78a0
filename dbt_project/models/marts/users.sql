{{ users_from(ref('user_totals'), ref('user_categories'), ref('user_tags'), as_of()) }}
