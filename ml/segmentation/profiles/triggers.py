"""Find micro-interactions that precede conversion in a segment's sessions.

A session that never saw a product can neither zoom into its gallery nor buy it, and a long session has more time
for both. So a signal is judged among the sessions that could have had it, and sessions with and without it are
compared at the same length. What remains is an association: a hidden intent may still drive both, and only an
experiment decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import norm

from ml.arrays import F64, I64, Bools
from ml.segmentation.features.feature_selection import benjamini_hochberg
from ml.segmentation.features.features import flatten_map, to_floats

SIGNALS = "signals_before_conversion"
PAGE_COLUMNS = ("product_pages", "content_pages", "other_pages")
MINIMUM_SESSIONS = 30  # with and without a signal; a lift from fewer sessions is not reported
MAXIMUM_TRIGGERS = 5
FALSE_DISCOVERIES = 0.05  # expected share of the reported signals that precede nothing
NEEDED_SHARE = 0.1  # of its usual rate, below which a signal needs the kind of page that is absent
LENGTHS = (1, 2, 3, 4, 5, 7, 10, 15, 25)  # numbers of pages at which a new class of lengths begins


@dataclass(frozen=True)
class Trigger:
    """A micro-interaction that precedes conversion.

    Attributes:
        signal: name of the micro-interaction.
        sessions: sessions with the signal, among those that could have had it.
        converted_with: conversion rate of sessions with the signal.
        converted_without: conversion rate of sessions of the same lengths without the signal.
        lift: ratio of the two rates (Mantel-Haenszel).
        low: lower bound of the lift's interval, which allows for how many signals were looked at.
        high: upper bound of that interval.
        comparable: sessions that could have had the signal.
        p_value: of no difference, before the correction for many signals.
    """

    signal: str
    sessions: int
    converted_with: float
    converted_without: float
    lift: float
    low: float
    high: float
    comparable: int = 0
    p_value: float = float("nan")


def find_triggers(sessions: pa.Table) -> tuple[Trigger, ...]:
    """Return the signals that precede conversion, strongest evidence first.

    The false discovery rate over all signals is `FALSE_DISCOVERIES` (Benjamini and Hochberg, 1995), and the
    intervals cover at that rate among the reported ones (Benjamini and Yekutieli, JASA 100, 2005).

    Args:
        sessions: `signals_before_conversion` (a map of counts), `is_converted` and, if present, the views before
            a conversion by kind of page, `PAGE_COLUMNS`, or all `page_views`.

    Returns:
        At most `MAXIMUM_TRIGGERS`; none if the first two columns are missing.
    """
    if not {SIGNALS, "is_converted"} <= set(sessions.column_names):
        return ()
    converted = np.asarray(pc.fill_null(sessions.column("is_converted"), False))
    pages = _count_pages(sessions)
    lengths = class_lengths(pages, sessions.num_rows)
    measured = []
    for signal, has in _read_signals(sessions):
        could = find_opportunities(has, pages)
        trigger = measure_trigger(signal, has[could], converted[could], lengths[could])
        if trigger is not None:
            measured.append(trigger)
    if not measured:
        return ()
    chosen = benjamini_hochberg(np.array([trigger.p_value for trigger in measured]), FALSE_DISCOVERIES)
    level = FALSE_DISCOVERIES * chosen.sum() / len(measured)
    triggers = [
        _with_interval(trigger, level)
        for trigger, is_chosen in zip(measured, chosen, strict=True)
        if is_chosen and trigger.lift > 1.0
    ]
    return tuple(sorted(triggers, key=lambda trigger: (-trigger.low, trigger.signal))[:MAXIMUM_TRIGGERS])


def _read_signals(sessions: pa.Table) -> Iterator[tuple[str, Bools]]:
    """Yield each signal and which sessions (n,) have it."""
    rows, keys, counts = flatten_map(sessions.column(SIGNALS))
    happened = to_floats(pa.chunked_array([counts])) > 0
    encoded = keys.dictionary_encode()
    codes = np.asarray(encoded.indices)
    for code, signal in enumerate(encoded.dictionary.to_pylist()):
        has = np.zeros(sessions.num_rows, dtype=bool)
        has[rows[happened & (codes == code)]] = True
        yield signal, has


def _count_pages(sessions: pa.Table) -> dict[str, F64]:
    """Return the number of pages of each kind that each session (n,) saw before a conversion."""
    names = [name for name in PAGE_COLUMNS if name in sessions.column_names]
    if not names and "page_views" in sessions.column_names:
        names = ["page_views"]
    return {name: np.nan_to_num(to_floats(sessions.column(name))) for name in names}


def find_opportunities(has: Bools, pages: dict[str, F64]) -> Bools:
    """Find the sessions that could have had a signal.

    A signal needs a kind of page if sessions without such a page have it at less than `NEEDED_SHARE` of the rate
    of the others.

    Args:
        has: which sessions have the signal, (n,).
        pages: pages of each kind in each session, (n,) each.

    Returns:
        Which sessions saw a page of every needed kind, or have the signal all the same, (n,).
    """
    could = np.ones(len(has), dtype=bool)
    for counts in pages.values():
        without = counts == 0
        if without.any() and not without.all():
            rate, usual = float(has[without].mean()), float(has[~without].mean())
            if rate < NEEDED_SHARE * usual:
                could &= ~without
    return could | has


def class_lengths(pages: dict[str, F64], rows: int) -> I64:
    """Number the class of each session (n,) by its numbers of pages of each kind; all are alike without pages."""
    classes = np.zeros(rows, dtype=np.int64)
    for counts in pages.values():
        classes = classes * (len(LENGTHS) + 1) + np.searchsorted(np.array(LENGTHS), counts, side="right")
    return np.unique(classes, return_inverse=True)[1].astype(np.int64)


def measure_trigger(signal: str, has: Bools, converted: Bools, strata: I64) -> Trigger | None:
    """Compare the conversion of sessions (n,) with and without a signal within strata (n,).

    The lift is the Mantel-Haenszel risk ratio with the variance of Greenland and Robins (Biometrics 41, 1985), at
    95 %. In a single stratum that is the plain ratio of rates.

    Returns:
        The trigger, or None if too few sessions can be compared.
    """
    count = int(strata.max(initial=0)) + 1
    with_all = np.bincount(strata[has], minlength=count).astype(float)
    without_all = np.bincount(strata[~has], minlength=count).astype(float)
    both = (with_all > 0) & (without_all > 0)  # a stratum with one kind of session compares nothing
    n1, n0 = with_all[both], without_all[both]
    if min(n1.sum(), n0.sum()) < MINIMUM_SESSIONS:
        return None
    a = np.bincount(strata[has & converted], minlength=count)[both]
    c = np.bincount(strata[~has & converted], minlength=count)[both]
    n, converted_here = n1 + n0, a + c
    above, below = float((a * n0 / n).sum()), float((c * n1 / n).sum())
    if above == 0 or below == 0:
        return None
    lift = above / below
    variance = float(((converted_here * n1 * n0 - a * c * n) / n**2).sum()) / (above * below)
    rate = float(a.sum() / n1.sum())
    p_value = float(2 * norm.sf(abs(np.log(lift)) / np.sqrt(variance))) if variance > 0 else 1.0
    trigger = Trigger(
        signal=signal,
        sessions=int(n1.sum()),
        converted_with=rate,
        converted_without=rate / lift,
        lift=lift,
        low=lift,
        high=lift,
        comparable=int(n.sum()),
        p_value=p_value,
    )
    return _with_bounds(trigger, np.sqrt(variance), 0.05)


def _with_interval(trigger: Trigger, level: float) -> Trigger:
    """Return the trigger with an interval that fails with probability `level` instead of .05."""
    error = np.log(trigger.high / trigger.lift) / norm.isf(0.025)
    return _with_bounds(trigger, float(error), level)


def _with_bounds(trigger: Trigger, error: float, level: float) -> Trigger:
    """Return the trigger with bounds by the standard error of the lift's logarithm."""
    reach = float(np.exp(norm.isf(level / 2) * error))
    return replace(trigger, low=trigger.lift / reach, high=trigger.lift * reach)
