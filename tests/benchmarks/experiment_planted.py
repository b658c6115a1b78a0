"""Lifts that the simulator plants: how often the analysis's interval holds them, and what CUPED gains.

Full size is that of the project's note: 1,000 experiments of two thousand users each.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from figure import Figure
from simulated_marts import experiment_tables, simulated, site_of

from ml.arrays.hashing import bucket_units
from ml.experiments.analysis.analysis import analyse_experiment
from ml.experiments.definition.definitions_file import load_experiments
from ml.experiments.definition.planted_experiments import write_planted_experiments
from ml.settings.experiments import ExperimentSettings

TRUTHS = {
    "new_checkout": ("purchases_per_user", "purchases_until_the_end"),
    "newsletter_prompt": ("subscription_rate", "subscribed"),
    "new_font": ("page_views_per_user", "page_views_until_the_end"),
}
"""By experiment: the simulator's name of the planted lift, and the metric that measures it."""
USERS_A_RUN = 2_000
USERS_A_SITE = 20_000


def measure(size: float) -> Iterator[Figure]:
    """Simulated experiments, each with users of its own: how often the interval holds the planted lift.

    CUPED's gain is compared, run by run, with what the correlation of the metric with its own past predicts.
    """
    sites = max(round(1000 * size * USERS_A_RUN / USERS_A_SITE), 1)
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        found = list(chain.from_iterable(pool.imap(planted_runs, range(1000, 1000 + sites))))
    names = dict.fromkeys(one.name for one in found)
    for name in names:
        held = [one.low <= one.truth <= one.high for one in found if one.name == name]
        yield Figure(f"planted_lift_covered[{name}]", 100 * float(np.mean(held)), "% of 95% intervals",
                     rows=len(held))  # fmt: skip
    for name in names:
        ratios = np.array([(one.width, one.predicted) for one in found if one.name == name and one.predicted < 1])
        if len(ratios):
            width, predicted = ratios.mean(axis=0).tolist()
            yield Figure(f"planted_cuped_width[{name}]", width, "of the plain width", "sqrt(1 - rho²)", predicted,
                         width / predicted, len(ratios))  # fmt: skip


@dataclass(frozen=True)
class Covered:
    """One planted lift as one run saw it: its 95% interval, the width of CUPED's over the plain one's."""

    name: str
    low: float
    high: float
    truth: float
    width: float
    predicted: float


def planted_runs(seed: int) -> list[Covered]:
    """One simulated site, whose users are dealt out to runs of their own.

    The shop sells more than the usual one, so that a thousand users buy often enough for a relative effect to have
    its normal limit; the planted lifts are those of the settings.
    """
    days, runs = 28, USERS_A_SITE // USERS_A_RUN
    brisk = {
        "conversion": {"add_to_cart": 0.4, "checkout": 0.8, "purchase": 0.7},
        "planted": {"newsletter_rate": 0.3},
    }
    site = site_of(USERS_A_SITE, days, seed, brisk)
    events = simulated(site, max(planted.end_day for planted in site.planted))
    with TemporaryDirectory() as folder:
        write_planted_experiments(site, Path(folder) / "experiments.yaml")
        experiments = load_experiments(Path(folder) / "experiments.yaml")
    settings = ExperimentSettings()
    found = []
    for planted in site.planted:
        truth, metric = TRUTHS[planted.experiment_id]
        experiment = experiments.get(planted.experiment_id)
        exposures, outcomes = experiment_tables(events, planted.experiment_id)
        deal = [bucket_units(table["user_id"], f"run:{seed}") * runs // 1 for table in (exposures, outcomes)]
        for run in range(runs):
            own = [
                table.filter(pa.array(place == run))
                for table, place in zip((exposures, outcomes), deal, strict=True)
            ]
            result = analyse_experiment(experiments, experiment.id, *own, experiment.ends_at, settings).result(
                metric, "treatment"
            )
            interval, plain = result.single_look, result.plain
            width = (interval.absolute.high - interval.absolute.low) / (plain.absolute.high - plain.absolute.low)
            found.append(
                Covered(f"{planted.experiment_id}: {truth}", interval.relative.low, interval.relative.high,
                        planted.lifts[truth], width, float(np.sqrt(1 - result.explained)))
            )  # fmt: skip
    return found
