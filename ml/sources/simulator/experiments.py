"""The planted randomised experiments: who is exposed when, to what, and the lifts that are really there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import Bools
from ml.settings.simulator import PlantedChangeSettings
from ml.sources.simulator.population import Population
from ml.sources.simulator.randomness import Stream, uniform

VARIANTS: tuple[str, str] = ("control", "treatment")
NEW_CHECKOUT, NEWSLETTER_PROMPT, NEW_FONT = 0, 1, 2


@dataclass(frozen=True)
class Experiment:
    """An experiment on known users, half of them treated; days count from the site's first, the end is exclusive.

    `lifts` are true relative lifts of the mean of a metric per exposed user, from exposure to the end.
    """

    experiment_id: str
    start_day: int
    end_day: int
    lifts: dict[str, float]


def experiments(knobs: PlantedChangeSettings, planned_days: int) -> tuple[Experiment, ...]:
    """The planted experiments, all over the same days, assigned independently of each other."""
    start = round(knobs.experiment_start * planned_days)
    end = start + round(knobs.experiment_length * planned_days)
    bought = {"purchases_per_user": knobs.checkout_lift, "revenue_per_user": knobs.checkout_lift}
    return (
        Experiment(
            "new_checkout", start, end, {**bought, "add_to_carts_per_user": 0.0, "page_views_per_user": 0.0}
        ),
        Experiment("newsletter_prompt", start, end, {"subscription_rate": knobs.newsletter_lift}),
        Experiment("new_font", start, end, {"purchases_per_user": 0.0, "page_views_per_user": 0.0}),
    )


def is_treated(users: Population, seed: int, experiment: int) -> Bools:
    """(n,) whether each user is in the treatment group of an experiment, by its place among the experiments."""
    return np.asarray(uniform(seed, Stream.VARIANT, users.key, experiment) < 0.5)
