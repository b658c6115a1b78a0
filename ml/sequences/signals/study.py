"""The table `signals`: what each small action does to conversion, for all visits and in each segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from ml.arrays import F64, Bools
from ml.segmentation.features.feature_selection import benjamini_hochberg
from ml.sequences.signals.effects import Effect, estimate_effect, find_proxies, take_out
from ml.sequences.signals.visit_signals import VisitSignals

EVERYBODY = "all"
HAPPENED, FOLLOWED, DOSE = "happened", "followed", "dose"
LEAST_VISITS = 100
"""Visits with and without, below which nothing is said."""
LEAST_CONVERTED = 10
ORDERED_SIGNALS = 20
"""Commonest signals whose orders are compared in pairs."""
FALSE_DISCOVERIES = 0.05
SIGNALS = pa.schema(
    [
        ("signal", pa.string()), ("then_signal", pa.string()), ("comparison", pa.string()),
        ("segment", pa.string()), ("visits", pa.int64()), ("people", pa.int64()),
        ("share_of_visits", pa.float64()),
        ("converted_with", pa.float64()), ("converted_without", pa.float64()), ("raw_lift", pa.float64()),
        ("lift", pa.float64()), ("lift_low", pa.float64()), ("lift_high", pa.float64()), ("p_value", pa.float64()),
        ("is_discovery", pa.bool_()), ("e_value", pa.float64()), ("e_value_of_bound", pa.float64()),
        ("proxies", pa.list_(pa.string())),
    ]
)  # fmt: skip


def study_signals(visits: VisitSignals, minimum_people: int, seed: int) -> pa.Table:
    """Measure the effect of each signal, of each order of two and of doses, as SIGNALS.

    The false discovery rate is controlled within each comparison and segment.

    Args:
        visits: The visits.
        minimum_people: Nothing is said of fewer people.
        seed: Seed of the folds.
    """
    with threadpool_limits(1, "blas"):  # a thousand small products do not gain from threads, which spin in between
        return _study_signals(visits, minimum_people, seed)


def _study_signals(visits: VisitSignals, minimum_people: int, seed: int) -> pa.Table:
    rows: list[dict[str, Any]] = []
    names = sorted({name for name in visits.segments.tolist() if name is not None})
    for segment in (EVERYBODY, *names):
        inside = visits if segment == EVERYBODY else visits.take(np.asarray(visits.segments == segment))
        comparisons: dict[str, list[dict[str, Any]]] = {HAPPENED: list(_happened(inside, minimum_people, seed))}
        if segment == EVERYBODY:
            comparisons[FOLLOWED] = list(_followed(inside, minimum_people, seed))
            comparisons[DOSE] = list(_doses(inside, minimum_people, seed))
        for comparison, measured in comparisons.items():
            chosen = benjamini_hochberg(np.array([row["p_value"] for row in measured]), FALSE_DISCOVERIES)
            rows += [
                {**row, "comparison": comparison, "segment": segment, "is_discovery": bool(is_chosen)}
                for row, is_chosen in zip(measured, chosen, strict=True)
            ]
    return pa.Table.from_pylist(rows, schema=SIGNALS)


def _happened(visits: VisitSignals, minimum_people: int, seed: int) -> Iterator[dict[str, Any]]:
    outcome = visits.converted.astype(np.float64)
    left = take_out(
        np.column_stack([visits.has, outcome]).astype(np.float64), visits.covariates, visits.people, seed
    )
    for place, signal in enumerate(visits.signals):
        treated = visits.has[:, place]
        if not _is_enough(visits, treated, minimum_people):
            continue
        others = np.delete(np.arange(len(visits.signals)), place)
        proxies = tuple(
            int(others[column]) for column in find_proxies(left[:, place], left[:, others], left[:, -1])
        )
        effect = estimate_effect(
            treated.astype(np.float64), outcome, left[:, place], left[:, -1], left[:, proxies], visits.people
        )
        if effect is not None:
            yield _describe(visits, treated, signal, None, replace(effect, proxies=proxies))


def _followed(visits: VisitSignals, minimum_people: int, seed: int) -> Iterator[dict[str, Any]]:
    """Compare visits in which the second signal followed the first with those in which it only came before."""
    common = np.argsort(-visits.has.sum(axis=0), kind="stable")[:ORDERED_SIGNALS].tolist()
    rows = {
        order: row
        for pair in combinations(common, 2)
        for order, row in _followed_both_ways(visits, pair, minimum_people, seed)
    }
    yield from (rows[order] for order in permutations(common, 2) if order in rows)


def _followed_both_ways(
    visits: VisitSignals, pair: tuple[int, int], minimum_people: int, seed: int
) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Compare the two orders of a pair; what covariates tell is taken out of both at once."""
    both = visits.take(visits.has[:, pair[0]] & visits.has[:, pair[1]])
    orders = {
        order: followed
        for order in (pair, pair[::-1])
        if _is_enough(both, followed := both.first[:, order[0]] < both.last[:, order[1]], minimum_people)
    }
    if not orders:
        return
    effects = _estimate_apart(both, np.column_stack(list(orders.values())).astype(np.float64), seed)
    for (order, followed), effect in zip(orders.items(), effects, strict=True):
        if effect is not None:
            first, then = order
            yield order, _describe(both, followed, visits.signals[first], visits.signals[then], effect)


def _doses(visits: VisitSignals, minimum_people: int, seed: int) -> Iterator[dict[str, Any]]:
    """Compare visits with a signal by its value: the lift of each doubling."""
    for place, signal in enumerate(visits.signals):
        with_dose = visits.take((visits.doses[:, place] > 0) & np.isfinite(visits.doses[:, place]))
        doses = np.log2(with_dose.doses[:, place])
        much = doses > np.median(doses) if len(doses) else np.zeros(0, dtype=bool)
        if not _is_enough(with_dose, much, minimum_people):
            continue
        (effect,) = _estimate_apart(with_dose, (doses - doses.mean())[:, None], seed)
        if effect is not None:
            yield _describe(with_dose, much, signal, None, effect)


def _estimate_apart(visits: VisitSignals, treatments: F64, seed: int) -> list[Effect | None]:
    """Return the effect of each treatment (n, k) without the others; covariates are taken out of all at once."""
    outcome = visits.converted.astype(np.float64)
    left = take_out(np.column_stack([treatments, outcome]), visits.covariates, visits.people, seed)
    return [
        estimate_effect(treatment, outcome, left[:, place], left[:, -1], left[:, :0], visits.people)
        for place, treatment in enumerate(treatments.T)
    ]


def _is_enough(visits: VisitSignals, treated: Bools, minimum_people: int) -> bool:
    least = min(treated.sum(), len(treated) - treated.sum())
    people = len(np.unique(visits.people[treated]))
    return bool(least >= LEAST_VISITS and people >= minimum_people and visits.converted.sum() >= LEAST_CONVERTED)


def _describe(
    visits: VisitSignals, treated: Bools, signal: str, then: str | None, effect: Effect
) -> dict[str, Any]:
    rate_with, rate_without = float(visits.converted[treated].mean()), float(visits.converted[~treated].mean())
    return {
        "signal": signal,
        "then_signal": then,
        "visits": int(treated.sum()),
        "people": len(np.unique(visits.people[treated])),
        "share_of_visits": float(treated.mean()),
        "converted_with": rate_with,
        "converted_without": effect.base,
        "raw_lift": rate_with / rate_without - 1 if rate_without > 0 else None,
        "lift": effect.lift,
        "lift_low": effect.low,
        "lift_high": effect.high,
        "p_value": effect.p_value,
        "e_value": effect.e_value,
        "e_value_of_bound": effect.e_value_of_bound,
        "proxies": [visits.signals[place] for place in effect.proxies],
    }
