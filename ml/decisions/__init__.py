"""What to show now: popularity, co-visitation, ranking, rules, caps and reasons."""
