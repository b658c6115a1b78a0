{{ users_from(ref('user_totals'), ref('user_tastes'), ref('user_tags'), as_of()) }}
