"""Study the paths of a site: chains, what differs between groups, and what brings conversions about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from ml.sequences.attribution.table import attribute
from ml.sequences.paths.absorption import absorb
from ml.sequences.paths.chains import MarkovChain, MoveIndex
from ml.sequences.paths.choice import OrderTrial, choose_chain
from ml.sequences.paths.groups import GroupChain
from ml.sequences.paths.intervals import resample
from ml.sequences.paths.paths import Paths
from ml.sequences.paths.states import build_levels
from ml.sequences.paths.stationarity import GroupComparison, compare_groups
from ml.sequences.paths.table import EVERYBODY, PathFigures, build_paths_table
from ml.sequences.visits import SiteVisits
from ml.settings.sequences import SequenceSettings

DIMENSIONS = ("channel", "campaign")


@dataclass(frozen=True)
class PathStudy:
    """What the paths of a site say.

    Attributes:
        levels: The paths of visits by level of detail.
        chains: The chain of each level.
        trials: What each order was worth, by level.
        comparisons: Whether months, weekdays, devices and segments move alike.
        paths: The table `paths`.
        attribution: The table `path_attribution`.
    """

    levels: dict[str, Paths]
    chains: dict[str, MarkovChain]
    trials: dict[str, list[OrderTrial]]
    comparisons: list[GroupComparison]
    paths: pa.Table
    attribution: pa.Table


def study_paths(site: SiteVisits, settings: SequenceSettings, seed: int) -> PathStudy:
    """Fit chains at every level of detail, compare groups, and credit conversions to channels and campaigns."""
    with threadpool_limits(1, "blas"):  # thousands of inverses of a few milliseconds do not gain from threads
        return _study_paths(site, settings, seed)


def _study_paths(site: SiteVisits, settings: SequenceSettings, seed: int) -> PathStudy:
    levels = build_levels(site.views, settings.minimum_people, settings.pages_max)
    levels = {level: paths for level, paths in levels.items() if len(paths)}
    chosen = {
        level: choose_chain(paths, settings.order_max, settings.minimum_people) for level, paths in levels.items()
    }
    chains = {level: chain for level, (chain, _) in chosen.items()}
    comparisons = compare_groups(levels, chains, site.groupings(), settings.minimum_people, seed)
    dwell = np.asarray(site.views.column("dwell_seconds").to_numpy(), dtype=np.float64)
    figures = [
        figure
        for level, paths in levels.items()
        for figure in _measure(level, paths, chains[level], comparisons, dwell, settings.resamples, seed)
    ]
    credits_of = [
        attribute(
            dimension,
            site.journeys(dimension, settings.lookback_days),
            settings.order_max,
            settings.minimum_people,
            settings.resamples,
            seed,
        )
        for dimension in DIMENSIONS
    ]
    return PathStudy(
        levels,
        chains,
        {level: trials for level, (_, trials) in chosen.items()},
        comparisons,
        build_paths_table(figures, settings.minimum_people),
        pa.concat_tables(credits_of),
    )


def _measure(
    level: str,
    paths: Paths,
    chain: MarkovChain,
    comparisons: list[GroupComparison],
    dwell: np.ndarray,
    resamples: int,
    seed: int,
) -> Iterator[PathFigures]:
    """Yield the figures of all paths, and of each group of the groupings that differ."""
    n_states = len(paths.states)
    yield PathFigures(
        level,
        EVERYBODY,
        EVERYBODY,
        chain.order,
        paths,
        absorb(chain.transitions(), n_states),
        resample(chain, paths, resamples, seed),
        dwell,
    )
    index = MoveIndex.of(paths, chain.levels)
    for comparison in comparisons:
        if comparison.level != level or not comparison.differs:
            continue
        for number, name in enumerate(comparison.groups):
            inside = comparison.group_of_path == number
            absorption = absorb(GroupChain.fit(chain, index, inside).transitions(), n_states)
            yield PathFigures(
                level,
                comparison.grouping,
                name,
                chain.order,
                paths.take(inside),
                absorption,
                None,
                dwell[np.repeat(inside, paths.lengths)],
            )
