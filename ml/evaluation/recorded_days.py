"""Tables of what models were worth day by day, which each run adds to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

KEPT_DAYS = 400


def add_days(
    before: pa.Table | None,
    tables: Sequence[pa.Table],
    schema: pa.Schema,
    subject: Callable[[Mapping[str, Any]], Hashable],
    order: Sequence[str],
) -> pa.Table:
    """Put days beside those of earlier runs; a later row replaces an earlier one of the same subject.

    Args:
        before: The table as earlier runs left it; None for none. Columns that the schema lacks are left out.
        tables: What was judged since, in the schema.
        schema: The columns, of which `date` is one.
        subject: What a row is about; a subject has one row.
        order: Columns by which the rows are sorted.

    Returns:
        The rows of the newest KEPT_DAYS days, in the schema.
    """
    rows: dict[Hashable, dict[str, Any]] = {}
    for table in (*([] if before is None else [before.select(schema.names).cast(schema)]), *tables):
        rows |= {subject(row): row for row in table.to_pylist()}
    merged = pa.Table.from_pylist(list(rows.values()), schema=schema)
    if not len(merged):
        return merged
    first = pc.max(merged["date"]).as_py() - dt.timedelta(days=KEPT_DAYS)
    return merged.filter(pc.greater(merged["date"], first)).sort_by([(name, "ascending") for name in order])
