"""Alarms as a table, one row each."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ml.monitoring.alarms import Alarm
from ml.monitoring.words import headline, names_of

SCHEMA = pa.schema(
    [
        pa.field("subject", pa.string()),
        pa.field("measure", pa.string()),
        pa.field("dimension", pa.string()),
        pa.field("slice", pa.string()),
        pa.field("since", pa.timestamp("us", "UTC")),
        pa.field("detected_at", pa.timestamp("us", "UTC")),
        pa.field("usual", pa.float64()),
        pa.field("observed", pa.float64()),
        pa.field("severity", pa.string()),
        pa.field("certainty", pa.string()),
        pa.field("headline", pa.string()),
        pa.field("follows", pa.list_(pa.string())),
    ]
)


def alarm_table(alarms: Sequence[Alarm]) -> pa.Table:
    """Return alarms in the order in which they were sure."""
    rows = [
        {
            **names_of(alarm),
            "since": alarm.since,
            "detected_at": alarm.detected_at,
            "usual": alarm.usual,
            "observed": alarm.observed,
            "headline": headline(alarm),
            "follows": list(alarm.follows),
        }
        for alarm in alarms
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
