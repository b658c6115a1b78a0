"""Compares a week with a reference: how large a change of a column is, how certain, and whether it lasts.

PSI and the Jensen-Shannon divergence tell the size, each less what chance alone brings about. Chi-square and
Kolmogorov-Smirnov tell the evidence, corrected for the number of columns (Benjamini and Hochberg, 1995). A change
counts where both agree and no single day carries it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import kolmogorov
from scipy.stats import chi2, false_discovery_control

from ml.arrays import F64, I64
from ml.monitoring.inputs.profile import ColumnProfile
from ml.monitoring.inputs.windows import WEEK, InputWindow
from ml.settings.operation import MonitoringSettings

LOST, DRIFTED, ONE_DAY, SMALL, UNSURE, QUIET, UNJUDGED = (
    "lost", "drifted", "one day", "small", "unsure", "quiet", "unjudged"
)  # fmt: skip
LEAST_OWNERS = 30
LEAST_IN_BIN = 10  # of both sides together; rarer bins are counted as one
_SMOOTHING = 0.5  # added to each bin, so that an empty one has a logarithm


@dataclass(frozen=True)
class ColumnDrift:
    """One column, now and in the reference.

    Attributes:
        profile: The column's reference.
        rows_then: Values a week in the reference, missing ones included.
        rows_now: Values in the week.
        owners_now: People, or of items the items, behind them.
        missing_then: Share that was missing.
        missing_now: Share that is missing.
        unseen_then: Share of the filled values that the reference does not name, within the reference.
        unseen_now: The same share now: values that are new or rare.
        psi: Population stability index of the filled values, less what chance brings about.
        js: Their Jensen-Shannon divergence in bits, likewise.
        lasting_psi: The least PSI that is left when a day is left out.
        lasting_js: The least divergence that is left when a day is left out.
        lasting_missing: The least share that is missing when a day is left out.
        p: How likely a difference of the filled values as large is by chance.
        missing_p: The same for the share that is missing.
        begin: The day of the week from which the week differs most, 0 to 6.
        carrier: Place of the bin whose share changed most.
        share_then: Share of that bin then; of numbers, the share above what was about the median.
        share_now: The same now.
        state: `lost`, `drifted`, `one day`, `small`, `unsure`, `quiet` or `unjudged`.
    """

    profile: ColumnProfile
    rows_then: float
    rows_now: int
    owners_now: int
    missing_then: float
    missing_now: float
    unseen_then: float
    unseen_now: float
    psi: float
    js: float
    lasting_psi: float
    lasting_js: float
    lasting_missing: float
    p: float
    missing_p: float
    begin: int
    carrier: int
    share_then: float
    share_now: float
    state: str = UNJUDGED


def compare_window(
    columns: Sequence[ColumnProfile], until: dt.datetime, window: InputWindow, settings: MonitoringSettings
) -> list[ColumnDrift]:
    """Compare the week with the reference of each column.

    Nothing is judged if one of the two is of the first days of the site, when all people are new, nor a column
    with fewer than 30 people or items on one side.

    Args:
        columns: The profiles of the reference.
        until: The newest event of the reference, naive UTC.
        window: The week.
        settings: What matters, and from how many days on the site is judged.
    """
    drifts = [_measure(column, window) for column in columns]
    is_young = not window.is_grown(settings.grace_days, min(until, window.end))
    judged = [place for place, drift in enumerate(drifts) if not is_young and _has_enough(drift)]
    evidence = [p for place in judged for p in (drifts[place].p, drifts[place].missing_p)]
    corrected = iter(false_discovery_control(evidence) if evidence else ())
    for place in judged:
        p, missing_p = float(next(corrected)), float(next(corrected))
        drifts[place] = replace(drifts[place], state=_judge(drifts[place], p, missing_p, settings))
    return drifts


def _has_enough(drift: ColumnDrift) -> bool:
    return min(drift.profile.owners, drift.owners_now) >= LEAST_OWNERS


def _measure(profile: ColumnProfile, window: InputWindow) -> ColumnDrift:
    table = window.tables[profile.frame]
    by_day, missing_by_day, owners = profile.count(table)
    then, now, missing = np.asarray(profile.counts), by_day.sum(axis=0), int(missing_by_day.sum())
    rows_then, rows_now = int(then.sum()) + profile.missing, int(now.sum()) + missing
    # One person's many events share their fate, so that what counts is the people.
    scale_then, scale_now = profile.owners / max(rows_then, 1), owners / max(rows_now, 1)
    a, b = then * scale_then, now * scale_now
    psi, js = divergences(a, b)
    without = [divergences(a, (now - by_day[day]) * scale_now) for day in range(WEEK)]
    left = [_share(missing - m, rows_now - m - int(c.sum())) for c, m in zip(by_day, missing_by_day, strict=True)]
    carrier, share_then, share_now = _carrier(profile, then, now)
    missing_then, missing_now = _share(profile.missing, rows_then), _share(missing, rows_now)
    is_named = profile.kind == "values"
    return ColumnDrift(
        profile=profile,
        rows_then=rows_then / max(profile.weeks, 1),
        rows_now=rows_now,
        owners_now=owners,
        missing_then=missing_then,
        missing_now=missing_now,
        unseen_then=_share(int(then[-1]), int(then.sum())) if is_named else 0.0,
        unseen_now=_share(int(now[-1]), int(now.sum())) if is_named else 0.0,
        psi=psi,
        js=js,
        lasting_psi=min(size for size, _ in without),
        lasting_js=min(size for _, size in without),
        lasting_missing=min(left),
        p=chi_square_p(a, b) if is_named else kolmogorov_smirnov_p(a, b),
        missing_p=chi_square_p(
            np.array([a.sum(), profile.missing * scale_then]), np.array([b.sum(), missing * scale_now])
        ),
        begin=_begin(np.append(then, profile.missing), np.column_stack([by_day, missing_by_day])),
        carrier=carrier,
        share_then=share_then,
        share_now=share_now,
    )


def _judge(drift: ColumnDrift, p: float, missing_p: float, settings: MonitoringSettings) -> str:
    rate = settings.input_false_discovery_rate
    filled_then = 1 - drift.missing_then
    loss = settings.smallest_loss * filled_then
    if filled_then > 0 and missing_p <= rate and drift.lasting_missing - drift.missing_then >= loss:
        return LOST
    least = (settings.smallest_psi, settings.smallest_divergence)
    is_large = drift.psi >= least[0] and drift.js >= least[1]
    is_lasting = drift.lasting_psi >= least[0] and drift.lasting_js >= least[1]
    if is_large and p <= rate:
        return DRIFTED if is_lasting else ONE_DAY
    if is_large:
        return UNSURE
    return SMALL if min(p, missing_p) <= rate else QUIET


def divergences(then: F64, now: F64) -> tuple[float, float]:
    """PSI, and Jensen-Shannon divergence in bits, less what two samples of one distribution show on average.

    Args:
        then: (bins,) how many people had which value.
        now: (bins,) the same now.

    Returns:
        Both as 0 or more; 0 where a side is empty.
    """
    a, b = _without_rare_bins(then, now)
    n, m = a.sum(), b.sum()
    if not n or not m:
        return 0.0, 0.0
    p, q = (side + _SMOOTHING for side in (a, b))
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    psi = float(((q - p) * np.log(q / p)).sum())
    js = float((p * np.log2(p / middle) + q * np.log2(q / middle)).sum() / 2)
    by_chance = (len(a) - 1) * (1 / n + 1 / m)
    return max(psi - float(by_chance), 0.0), max(js - float(by_chance / (8 * np.log(2))), 0.0)


def chi_square_p(then: F64, now: F64) -> float:
    """Return p of Pearson's test that both sides are alike; 1 where a side is empty or all have one value."""
    table = np.stack(_without_rare_bins(then, now))
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chi2.sf(statistic, table.shape[1] - 1))


def kolmogorov_smirnov_p(then: F64, now: F64) -> float:
    """Return p of the two-sample test on binned numbers, which is never below that of the numbers themselves."""
    n, m = then.sum(), now.sum()
    if not n or not m:
        return 1.0
    distance = float(np.abs(then.cumsum() / n - now.cumsum() / m).max())
    return float(kolmogorov(np.sqrt(n * m / (n + m)) * distance))


def _without_rare_bins(then: F64, now: F64) -> tuple[F64, F64]:
    """Both sides with the rare bins as one, so that no sum hangs on a handful of people."""
    is_rare = then + now < LEAST_IN_BIN
    merged = []
    for side in (then, now):
        rare = float(side[is_rare].sum())
        merged.append(np.append(side[~is_rare], rare))
    is_kept = np.append(np.ones(int((~is_rare).sum()), dtype=bool), merged[0][-1] + merged[1][-1] > 0)
    return merged[0][is_kept], merged[1][is_kept]


def _begin(then: I64, by_day: I64) -> int:
    """The day from which on the days differ most from the reference, by the likelihood ratio."""
    p = (then + _SMOOTHING) / (then + _SMOOTHING).sum()
    gains = []
    for day in range(WEEK):
        since = by_day[day:].sum(axis=0)
        q = (since + _SMOOTHING) / (since + _SMOOTHING).sum()
        gains.append(float((since * np.log(q / p)).sum()))
    return int(np.argmax(gains))


def _carrier(profile: ColumnProfile, then: I64, now: I64) -> tuple[int, float, float]:
    """The bin whose share changed most and its shares; of numbers, those above the bin in which the median was."""
    p, q = (side / max(side.sum(), 1) for side in (then, now))
    if profile.kind == "values":
        place = int(np.argmax(np.abs(q - p)))
        return place, float(p[place]), float(q[place])
    place = min(int(np.searchsorted(p.cumsum(), 0.5)), max(len(p) - 2, 0))
    return place, float(p[place + 1 :].sum()), float(q[place + 1 :].sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0
