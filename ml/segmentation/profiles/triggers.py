"""Micro-interactions that precede conversion in a segment's sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.segmentation.features.features import flatten_map, to_floats

SIGNALS = "signals_before_conversion"
FEWEST_SESSIONS = 30  # with and without a signal, below which a lift is not told
MOST_TRIGGERS = 5


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


def find_triggers(sessions: pa.Table) -> tuple[Trigger, ...]:
    """Signals whose lift is surely above 1, the surest first; none without the columns that tell."""
    if not {SIGNALS, "is_converted"} <= set(sessions.column_names):
        return ()
    converted = np.asarray(pc.fill_null(sessions.column("is_converted"), False))
    rows, keys, counts = flatten_map(sessions.column(SIGNALS))
    happened = to_floats(pa.chunked_array([counts])) > 0
    encoded = keys.dictionary_encode()
    codes = np.asarray(encoded.indices)
    found = []
    for code, signal in enumerate(encoded.dictionary.to_pylist()):
        has = np.zeros(len(converted), dtype=bool)
        has[rows[happened & (codes == code)]] = True
        trigger = measure_trigger(signal, has, converted)
        if trigger is not None and trigger.low > 1.0:
            found.append(trigger)
    return tuple(sorted(found, key=lambda trigger: (-trigger.low, trigger.signal))[:MOST_TRIGGERS])


def measure_trigger(signal: str, has: Bools, converted: Bools) -> Trigger | None:
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
