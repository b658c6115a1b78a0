"""What the people of a segment do in their sessions: funnel, triggers of conversion, times, devices and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.segmentation.features import KEY, map_entries, numbers

FUNNEL = ("view", "cart", "checkout", "purchase")
MIXES = ("daypart", "device_type", "country", "channel")
SIGNALS = "signals_before_conversion"
FEWEST_SESSIONS = 30  # with and without a signal, below which a lift is not told
MOST_TRIGGERS = 5
MOST_IN_MIX = 4


@dataclass(frozen=True)
class Trigger:
    """A micro-interaction that precedes conversion: rates of converted sessions with and without it.

    `lift` is the ratio of the two, `low` and `high` its 95 % interval (Katz's log method).
    """

    signal: str
    sessions: int
    converted_with: float
    converted_without: float
    lift: float
    low: float
    high: float


@dataclass(frozen=True)
class Behaviour:
    """Sessions of one segment in numbers; `funnel` counts the sessions that came at least so far."""

    sessions: int
    funnel: dict[str, int]
    mixes: dict[str, dict[str, float]]
    median_pages: float
    median_minutes: float
    triggers: tuple[Trigger, ...]


def behaviours(sessions: pa.Table, assigned: pa.Table) -> dict[int, Behaviour]:
    """Behaviour by segment number.

    Args:
        sessions: the mart `sessions`: `user_id`, and of `funnel_stage, is_converted, page_views, duration_seconds,
            daypart, device_type, country, channel, signals_before_conversion` (a map of counts) what is there.
        assigned: `user_id, segment`.
    """
    rows = pc.index_in(sessions.column(KEY).cast(pa.string()), value_set=assigned.column(KEY).cast(pa.string()))
    segments = assigned.column("segment").combine_chunks().take(rows)
    found = {}
    for segment in sorted(assigned.column("segment").unique().to_pylist()):
        own = sessions.filter(pc.fill_null(pc.equal(segments, segment), False))
        if own.num_rows:
            found[int(segment)] = _behaviour(own)
    return found


def _behaviour(sessions: pa.Table) -> Behaviour:
    columns = set(sessions.column_names)
    return Behaviour(
        sessions=sessions.num_rows,
        funnel=_funnel(sessions) if "funnel_stage" in columns else {},
        mixes={name: _mix(sessions.column(name)) for name in MIXES if name in columns},
        median_pages=_median(sessions, "page_views"),
        median_minutes=_median(sessions, "duration_seconds") / 60,
        triggers=_triggers(sessions) if {SIGNALS, "is_converted"} <= columns else (),
    )


def _funnel(sessions: pa.Table) -> dict[str, int]:
    stages = pc.index_in(sessions.column("funnel_stage").cast(pa.string()), value_set=pa.array(FUNNEL))
    reached = np.asarray(pc.fill_null(stages, -1))
    return {name: int((reached >= step).sum()) for step, name in enumerate(FUNNEL)}


def _mix(column: pa.ChunkedArray) -> dict[str, float]:
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(column.drop_null()).to_pylist()}
    total = sum(counts.values())
    largest = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:MOST_IN_MIX]
    return {str(value): count / total for value, count in largest}


def _median(sessions: pa.Table, name: str) -> float:
    if name not in sessions.column_names:
        return float("nan")
    values = numbers(sessions.column(name))
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def _triggers(sessions: pa.Table) -> tuple[Trigger, ...]:
    converted = np.asarray(pc.fill_null(sessions.column("is_converted"), False))
    column = sessions.column(SIGNALS)
    rows, keys, counts = map_entries(column)
    happened = numbers(pa.chunked_array([counts])) > 0
    names = np.asarray(keys.to_numpy(zero_copy_only=False), dtype=object)
    found = []
    for signal in sorted(set(names[happened])):
        has = np.zeros(len(converted), dtype=bool)
        has[rows[happened & (names == signal)]] = True
        trigger = measure_trigger(str(signal), has, converted)
        if trigger is not None and trigger.low > 1.0:
            found.append(trigger)
    return tuple(sorted(found, key=lambda trigger: -trigger.low)[:MOST_TRIGGERS])


def measure_trigger(signal: str, has: npt.NDArray[np.bool_], converted: npt.NDArray[np.bool_]) -> Trigger | None:
    """How much likelier sessions (n,) with the signal convert; None if there are too few to say."""
    a, n = int((has & converted).sum()), int(has.sum())
    b, m = int((~has & converted).sum()), int((~has).sum())
    if min(n, m) < FEWEST_SESSIONS or a == 0 or b == 0:
        return None
    lift = (a / n) / (b / m)
    error = np.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return Trigger(
        signal, n, a / n, b / m, lift, float(lift * np.exp(-1.96 * error)), float(lift * np.exp(1.96 * error))
    )


def feedback_counts(feedback: pa.Table) -> dict[int, dict[str, int]]:
    """Agreement by segment number from `user_id, segment, agrees`; a user's last word counts.

    Rows in order of time. Values of `segment` that are no number count under no segment.
    """
    last: dict[tuple[Any, Any], Mapping[str, Any]] = {}
    for row in feedback.select([KEY, "segment", "agrees"]).to_pylist():
        last[row[KEY], row["segment"]] = row
    counts: dict[int, dict[str, int]] = {}
    for row in last.values():
        text = str(row["segment"])
        if text.lstrip("-").isdigit() and row["agrees"] is not None:
            entry = counts.setdefault(int(text), {"agree": 0, "disagree": 0})
            entry["agree" if row["agrees"] else "disagree"] += 1
    return counts
