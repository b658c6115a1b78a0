"""The table `path_attribution`: conversions that each method credits to channels and campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ml.sequences.attribution.credits import METHODS, credit_touches
from ml.sequences.attribution.journeys import OTHER_TOUCH, Journeys
from ml.sequences.paths.choice import choose_chain
from ml.sequences.paths.intervals import null_if_undefined, percentile_interval
from ml.sequences.paths.paths import Paths, rename_states

NO_TOUCH = "(none)"
PATH_ATTRIBUTION = pa.schema(
    [
        ("dimension", pa.string()),
        ("touch", pa.string()),
        ("method", pa.string()),
        ("conversions", pa.float64()),
        ("share", pa.float64()),
        ("share_low", pa.float64()),
        ("share_high", pa.float64()),
        ("revenue", pa.float64()),
        ("journeys", pa.int64()),
        ("people", pa.int64()),
    ]
)


def attribute(
    dimension: str, journeys: Journeys, order_max: int, minimum_people: int, resamples: int, seed: int
) -> pa.Table:
    """Credit the conversions of journeys to their touches.

    Touches of fewer than `minimum_people` people are one touch, `OTHER_TOUCH`. Conversions that no touch preceded
    stand at `NO_TOUCH`, whatever the method, so that the conversions of each method add up to all conversions.

    Args:
        dimension: What the touches are, such as `channel`.
        journeys: The journeys, in the order of time.
        order_max: The highest order of the chain.
        minimum_people: People from which a touch is named.
        resamples: Resamples of people for the intervals.
        seed: Seed of the resamples.

    Returns:
        A table of the schema `PATH_ATTRIBUTION`: one row per touch and method.
    """
    total = float(journeys.conversions.sum()) + journeys.untouched_conversions
    if not total:
        return PATH_ATTRIBUTION.empty_table()
    rows = [*_rows_of_touches(journeys, total, order_max, minimum_people, resamples, seed)]
    if journeys.untouched_conversions:
        without = {"touch": NO_TOUCH, "conversions": journeys.untouched_conversions}
        without["revenue"] = journeys.untouched_revenue
        rows += [without | {"method": method} for method in METHODS]
    for row in rows:
        row |= {"dimension": dimension, "share": row["conversions"] / total}
    return pa.Table.from_pylist(rows, PATH_ATTRIBUTION)


def _rows_of_touches(
    journeys: Journeys, total: float, order_max: int, minimum_people: int, resamples: int, seed: int
) -> Iterator[dict[str, Any]]:
    paths = merge_small_touches(journeys.paths, minimum_people)
    if not len(paths):
        return
    chain, _ = choose_chain(paths, order_max, minimum_people)
    credit = credit_touches(chain, paths, journeys.conversions, resamples, seed)
    revenue_shares = credit_touches(chain, paths, journeys.revenue, 0, seed).shares
    touched, revenue = journeys.conversions.sum(), journeys.revenue.sum()
    counts, people = paths.count_paths().tolist(), paths.count_people().tolist()
    for method in METHODS:
        low, high = percentile_interval(credit.draws[method])
        for state, touch in enumerate(paths.states):
            yield {
                "touch": touch,
                "method": method,
                "conversions": float(credit.shares[method][state] * touched),
                "share_low": null_if_undefined(low[state] * touched / total),
                "share_high": null_if_undefined(high[state] * touched / total),
                "revenue": float(revenue_shares[method][state] * revenue),
                "journeys": counts[state],
                "people": people[state],
            }


def merge_small_touches(paths: Paths, minimum_people: int) -> Paths:
    """Make one touch of those that fewer than `minimum_people` people have.

    As long as that touch itself has fewer people, the smallest of the others joins it.
    """
    order = np.argsort(paths.count_people(), kind="stable")
    small = int((paths.count_people() < minimum_people).sum())
    merged = paths
    while small:
        names = list(paths.states)
        for state in order[:small]:
            names[state] = OTHER_TOUCH
        merged = rename_states(paths, names)
        if small == len(names) or merged.count_people()[merged.states.index(OTHER_TOUCH)] >= minimum_people:
            break
        small += 1
    return merged
