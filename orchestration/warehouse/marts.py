"""The marts that something is learned from, read in the order of their keys.

DuckDB writes a table on several threads, so the same build leaves the same rows in another order each time. Random
samples, starts and gradients follow the order of rows: without a fixed one, the same log teaches something else.
"""

from __future__ import annotations

from collections.abc import Collection

from ml.settings.warehouse import WarehouseSettings

USERS = "from users order by user_id"
ITEMS = "from items order by item_id"
INTERACTIONS = "from interactions order by user_id, item_id"
USER_SEGMENTS = "from user_segments order by user_id"
ADDRESSEES = """
    select users.*, preferences.quiet_from_hour, preferences.quiet_until_hour
    from users left join preferences using (user_id)
    order by user_id
"""


def site_currency(settings: WarehouseSettings, tables: Collection[str]) -> str:
    """Return the expression of SQL for the currency of the site; "" where neither settings nor purchases name one.

    Args:
        settings: The section `warehouse` of the settings.
        tables: Names of the tables that are there.
    """
    setting = f"'{settings.currency or ''}'"
    if "revenue_by_currency" not in tables:
        return setting
    return f"coalesce((select max(site_currency) from revenue_by_currency), {setting})"
