"""The table `paths`: what a chain says of each state, for all visits and for groups that move otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ml.arrays import F64
from ml.sequences.paths.absorption import Absorption
from ml.sequences.paths.intervals import Resamples, null_if_undefined, percentile_interval
from ml.sequences.paths.paths import Paths
from ml.sequences.sums import sum_by_group

EVERYBODY = "all"
PATHS = pa.schema(
    [
        ("level", pa.string()),
        ("grouping", pa.string()),
        ("group_name", pa.string()),
        ("state", pa.string()),
        ("chain_order", pa.int64()),
        ("visits", pa.int64()),
        ("people", pa.int64()),
        ("views", pa.int64()),
        ("dwell_seconds", pa.float64()),
        ("views_per_visit", pa.float64()),
        ("conversion_chance", pa.float64()),
        ("conversion_chance_low", pa.float64()),
        ("conversion_chance_high", pa.float64()),
        ("steps_to_end", pa.float64()),
        ("exits", pa.int64()),
        ("lost_conversions", pa.float64()),
        ("removal_effect", pa.float64()),
        ("removal_effect_low", pa.float64()),
        ("removal_effect_high", pa.float64()),
    ]
)


@dataclass(frozen=True)
class PathFigures:
    """What is known of the states of one chain.

    Attributes:
        level: What the states are.
        grouping: What forms the groups, `EVERYBODY` for all paths.
        group_name: Which group of it.
        order: Order of the chain.
        paths: The paths.
        absorption: What the chain says.
        resamples: The same of resampled people; None where it was not resampled.
        dwell: Seconds that each step was looked at, (t,), NaN where that is not known.
    """

    level: str
    grouping: str
    group_name: str
    order: int
    paths: Paths
    absorption: Absorption
    resamples: Resamples | None
    dwell: F64


def build_paths_table(figures: list[PathFigures], minimum_people: int) -> pa.Table:
    """Build a table of the schema `PATHS`: one row per chain and state, without those that few people saw.

    `lost_conversions` are those that the exits would have brought, had their visitors gone on and converted as
    often as those who did go on. It is an upper bound: who leaves is less interested.
    """
    rows = [row for entry in figures for row in _describe(entry, minimum_people)]
    return pa.Table.from_pylist(rows, PATHS)


def _describe(entry: PathFigures, minimum_people: int) -> Iterator[dict[str, Any]]:
    paths, absorption, n_states = entry.paths, entry.absorption, len(entry.paths.states)
    visits, people = paths.count_paths(), paths.count_people()
    views = np.bincount(paths.codes, minlength=n_states)
    last = paths.codes[paths.offsets[1:] - 1]
    exits = np.bincount(last[~paths.converted], minlength=n_states)
    undefined = np.full(n_states, np.nan)
    chances = percentile_interval(entry.resamples.chance) if entry.resamples else (undefined, undefined)
    removals = percentile_interval(entry.resamples.removal) if entry.resamples else (undefined, undefined)
    dwell = _mean_dwell(paths, entry.dwell)
    for state in np.flatnonzero(people >= minimum_people):
        yield {
            "level": entry.level,
            "grouping": entry.grouping,
            "group_name": entry.group_name,
            "state": paths.states[state],
            "chain_order": entry.order,
            "visits": int(visits[state]),
            "people": int(people[state]),
            "views": int(views[state]),
            "dwell_seconds": null_if_undefined(dwell[state]),
            "views_per_visit": float(absorption.visits[state]),
            "conversion_chance": null_if_undefined(absorption.chance[state]),
            "conversion_chance_low": null_if_undefined(chances[0][state]),
            "conversion_chance_high": null_if_undefined(chances[1][state]),
            "steps_to_end": null_if_undefined(absorption.steps[state]),
            "exits": int(exits[state]),
            "lost_conversions": null_if_undefined(exits[state] * absorption.chance_if_staying[state]),
            "removal_effect": null_if_undefined(absorption.removal[state]),
            "removal_effect_low": null_if_undefined(removals[0][state]),
            "removal_effect_high": null_if_undefined(removals[1][state]),
        }


def _mean_dwell(paths: Paths, dwell: F64) -> F64:
    """Return the mean seconds of the views of each state (s,), NaN where none is known."""
    measured = ~np.isnan(dwell)
    n_states = len(paths.states)
    counts = np.bincount(paths.codes[measured], minlength=n_states)
    sums = sum_by_group(paths.codes[measured], dwell[measured], n_states)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / counts, np.nan)
