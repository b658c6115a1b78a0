"""The planted randomised experiments: who is exposed when, to what, and the lifts that are really there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml.arrays import I64, Bools
from ml.arrays.hashing import bucket_units
from ml.settings.simulator import PlantedChangeSettings
from ml.sources.simulator.topics import CATEGORY_NAMES

VARIANTS: tuple[str, str] = ("control", "treatment")
TREATED_SHARE = 0.5
NEW_CHECKOUT, NEWSLETTER_PROMPT, NEW_FONT = 0, 1, 2


@dataclass(frozen=True)
class PlantedExperiment:
    """An experiment on known users, half of them treated; days count from the site's first, the end is exclusive.

    `lifts` are true relative lifts of the mean of a metric per exposed user, from exposure to the end.
    """

    experiment_id: str
    start_day: int
    end_day: int
    lifts: dict[str, float]


def planted_experiments(knobs: PlantedChangeSettings, planned_days: int) -> tuple[PlantedExperiment, ...]:
    """The planted experiments, assigned independently of each other.

    Two of them end before the planned days do. The third starts late and goes on beyond them, so that a simulated
    site has an experiment that is still running.
    """
    length = round(knobs.experiment_length * planned_days)
    start, late_start = (round(share * planned_days) for share in (knobs.experiment_start, knobs.running_start))
    bought = {"purchases_per_user": knobs.checkout_lift, "revenue_per_user": knobs.checkout_lift}
    unchanged = {"add_to_carts_per_user": 0.0, "page_views_per_user": 0.0}
    return (
        PlantedExperiment("new_checkout", start, start + length, {**bought, **unchanged}),
        PlantedExperiment(
            "newsletter_prompt", start, start + length, {"subscription_rate": knobs.newsletter_lift}
        ),
        PlantedExperiment(
            "new_font", late_start, late_start + length, {"purchases_per_user": 0.0, "page_views_per_user": 0.0}
        ),
    )


def is_treated(user_ids: pa.Array, experiment_id: str) -> Bools:
    """(n,) whether each user is in the treatment group, exactly as the product itself assigns the ids."""
    return np.asarray(bucket_units(user_ids, f"variant:{experiment_id}") < TREATED_SHARE)


def segment_names(favourite_category: I64) -> list[str]:
    """The segment by which the site knows each user at the exposure: the readers of a favourite category."""
    return [f"{CATEGORY_NAMES[category]} readers" for category in favourite_category.tolist()]
