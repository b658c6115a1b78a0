"""Find micro-interactions that precede conversion in a segment's sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.segmentation.features.features import flatten_map, to_floats

SIGNALS = "signals_before_conversion"
MINIMUM_SESSIONS = 30  # with and without a signal; a lift from fewer sessions is not reported
MAXIMUM_TRIGGERS = 5


@dataclass(frozen=True)
class Trigger:
    """A micro-interaction that precedes conversion.

    Attributes:
        signal: name of the micro-interaction.
        sessions: sessions with the signal.
        converted_with: conversion rate of sessions with the signal.
        converted_without: conversion rate of sessions without the signal.
        lift: ratio of the two rates.
        low: lower bound of the lift's 95 % interval (Katz's log method).
        high: upper bound of that interval.
    """

    signal: str
    sessions: int
    converted_with: float
    converted_without: float
    lift: float
    low: float
    high: float


def find_triggers(sessions: pa.Table) -> tuple[Trigger, ...]:
    """Return signals with a lift significantly above 1, strongest evidence first; none if columns are missing."""
    if not {SIGNALS, "is_converted"} <= set(sessions.column_names):
        return ()
    converted = np.asarray(pc.fill_null(sessions.column("is_converted"), False))
    rows, keys, counts = flatten_map(sessions.column(SIGNALS))
    happened = to_floats(pa.chunked_array([counts])) > 0
    encoded = keys.dictionary_encode()
    codes = np.asarray(encoded.indices)
    triggers = []
    for code, signal in enumerate(encoded.dictionary.to_pylist()):
        has = np.zeros(len(converted), dtype=bool)
        has[rows[happened & (codes == code)]] = True
        trigger = measure_trigger(signal, has, converted)
        if trigger is not None and trigger.low > 1.0:
            triggers.append(trigger)
    return tuple(sorted(triggers, key=lambda trigger: (-trigger.low, trigger.signal))[:MAXIMUM_TRIGGERS])


def measure_trigger(signal: str, has: Bools, converted: Bools) -> Trigger | None:
    """Compare the conversion of sessions (n,) with and without a signal; None if there are too few sessions."""
    with_conversions, with_sessions = int((has & converted).sum()), int(has.sum())
    without_conversions, without_sessions = int((~has & converted).sum()), int((~has).sum())
    if (
        min(with_sessions, without_sessions) < MINIMUM_SESSIONS
        or with_conversions == 0
        or without_conversions == 0
    ):
        return None
    lift = (with_conversions / with_sessions) / (without_conversions / without_sessions)
    error = np.sqrt(1 / with_conversions - 1 / with_sessions + 1 / without_conversions - 1 / without_sessions)
    return Trigger(
        signal,
        with_sessions,
        with_conversions / with_sessions,
        without_conversions / without_sessions,
        lift,
        float(lift * np.exp(-1.96 * error)),
        float(lift * np.exp(1.96 * error)),
    )
