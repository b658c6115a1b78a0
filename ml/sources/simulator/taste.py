"""The planted change of taste: from a known day on, some users prefer the second topic of every category."""

from __future__ import annotations

import numpy as np

from ml.arrays import F32, Bools
from ml.settings.simulator import PlantedChangeSettings
from ml.sources.simulator.population import Engagement, Population
from ml.sources.simulator.randomness import Stream, uniform

SECOND_TOPIC_SHARE = 0.8


def change_day(knobs: PlantedChangeSettings, planned_days: int) -> int:
    """First day of the new taste, counted from the site's first day."""
    return round(knobs.taste_change * planned_days)


def changes_taste(users: Population, knobs: PlantedChangeSettings, seed: int) -> Bools:
    """(n,) who is among those that change."""
    chosen = uniform(seed, Stream.TASTE, users.key) < knobs.taste_change_users
    return np.asarray(chosen & (users.engagement != Engagement.BOT))


def daily_interest_cdf(
    users: Population, knobs: PlantedChangeSettings, seed: int, day: int, planned_days: int
) -> F32:
    """(n, topics) running shares of interest on a day. Interest in categories stays, in their topics it moves."""
    if day < change_day(knobs, planned_days):
        return users.interest_cdf
    changed = changes_taste(users, knobs, seed)
    interest = users.interest.copy()
    in_category = interest[:, 0::2] + interest[:, 1::2]
    interest[:, 0::2] = np.where(changed[:, None], in_category * (1 - SECOND_TOPIC_SHARE), interest[:, 0::2])
    interest[:, 1::2] = np.where(changed[:, None], in_category * SECOND_TOPIC_SHARE, interest[:, 1::2])
    return np.cumsum(interest, axis=1)
