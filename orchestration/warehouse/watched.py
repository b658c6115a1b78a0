"""What monitoring watches, read from the marts in one order of rows: the same tables give the same alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

EVENT_HOURS = "from event_hours order by hour, event_type, dimension, slice"
ANSWER_HOURS = "from answer_hours order by hour, slot, model_version, audience"
CATEGORY_DAYS = "from category_days order by date, category, audience"


class WatchedTables(NamedTuple):
    """Counts by hour or day, as the contracts of the marts describe them."""

    event_hours: pa.Table
    answer_hours: pa.Table
    category_days: pa.Table


def read_watched(read: Callable[[str], pa.Table]) -> WatchedTables:
    """Read the watched days.

    Args:
        read: Returns the rows of a query, `Warehouse.read` for example.

    Raises:
        WarehouseMissingError: Nothing has been materialized yet.
    """
    return WatchedTables(*(read(query) for query in (EVENT_HOURS, ANSWER_HOURS, CATEGORY_DAYS)))
