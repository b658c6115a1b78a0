"""The marts that something is learned from, read in the order of their keys.

DuckDB writes a table on several threads, so the same build leaves the same rows in another order each time. Random
samples, starts and gradients follow the order of rows: without a fixed one, the same log teaches something else.
"""

USERS = "from users order by user_id"
ITEMS = "from items order by item_id"
INTERACTIONS = "from interactions order by user_id, item_id"
USER_SEGMENTS = "from user_segments order by user_id"
ADDRESSEES = """
    select users.*, preferences.quiet_from_hour, preferences.quiet_until_hour
    from users left join preferences using (user_id)
    order by user_id
"""
