"""How many users make a wanted number of events."""

from __future__ import annotations

import datetime as dt

from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.site import Site

PILOT_USERS = 1000
PILOT_DAYS = 6


def settings_for_events(settings: SimulatorSettings, seed: int, start: dt.date, events: int) -> SimulatorSettings:
    """Settings with as many users as make about so many events in the planned days.

    A pilot of 1,000 users is simulated on six days spread over the plan; the mean of these days is scaled up.
    Small sites vary more, by the luck of few users.
    """
    pilot = Site(settings.model_copy(update={"users": PILOT_USERS}), seed, start)
    steps = min(PILOT_DAYS, settings.days)
    days = [(2 * step + 1) * settings.days // (2 * steps) for step in range(steps)]
    mean_day = sum(pilot.count_events(day) for day in days) / steps
    users = round(events / (mean_day * settings.days) * PILOT_USERS)
    return settings.model_copy(update={"users": max(users, 10)})
