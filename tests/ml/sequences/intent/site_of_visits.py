"""A site whose visits are drawn so that the right chances are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
COLUMNS = (
    "session_key", "user_id", "device_type", "occurred_at", "event_type", "element", "item_id", "value",
    "is_purchase",
)  # fmt: skip


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    """Return actions from rows of session, person, seconds since START, type, element, item and value."""
    full = [
        (
            session, person, "desktop", START.replace(tzinfo=None) + dt.timedelta(seconds=second), kind, element,
            item, value, kind == "purchase",
        )
        for session, person, second, kind, element, item, value in rows
    ]  # fmt: skip
    types = (
        *(pa.uint64(), pa.string(), pa.string(), pa.timestamp("us"), pa.string(), pa.string(), pa.string()),
        *(pa.float64(), pa.bool_()),
    )
    columns = list(zip(*full, strict=True))
    return pa.table(
        {name: pa.array(column, kind) for name, column, kind in zip(COLUMNS, columns, types, strict=True)}
    )


def draw_visits(visits: int, seed: int, *, leaks: bool = False) -> tuple[pa.Table, np.ndarray]:
    """Draw visits of twelve actions that convert with a chance of .05, or of .6 after a click on the plan.

    Args:
        visits: Number of visits.
        seed: Seed.
        leaks: Whether a click on the receipt follows each purchase, which tells it for certain, afterwards.

    Returns:
        The actions, and whether each visit has the click, which is its second action.
    """
    generator = np.random.default_rng(seed)
    clicks = generator.random(visits) < 0.3
    buys = generator.random(visits) < np.where(clicks, 0.6, 0.05)
    rows: list[tuple[object, ...]] = []
    for visit in range(visits):
        person, begin = f"u{visit % (visits // 2):05d}", visit * 3600.0
        kinds: list[tuple[str, str | None]] = [("page_view", None)] + [("scroll", None)] * 10
        if clicks[visit]:
            kinds[1] = ("click", "plan")
        kinds.append(("purchase", None) if buys[visit] else ("scroll", None))
        if leaks and buys[visit]:
            kinds.append(("click", "receipt"))
        rows += [
            (visit, person, begin + 10 * place, kind, element, "i1", 50.0 if kind == "scroll" else None)
            for place, (kind, element) in enumerate(kinds)
        ]
    rows.sort(key=lambda row: (str(row[1]), row[0], row[2]))
    return table_of(rows), clicks
