"""A simulated site and its warehouse: how often people come as the mart says it, and as it was planted."""

from __future__ import annotations

import datetime as dt

import numpy as np

from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator import Site, simulate_into_home, truth_tables
from tests.dbt_project.built import Built

START = dt.date(2026, 3, 1)


def simulate(warehouse: Built, settings: SimulatorSettings, seed: int) -> Site:
    """Write the whole history of a site into the log, and build its users."""
    site = Site(settings, seed=seed, start=START)
    simulate_into_home(warehouse.home, site, START, START + dt.timedelta(days=settings.days))
    warehouse.build("users")
    return site


def engagement(warehouse: Built, site: Site, days: int) -> list[tuple[str, str]]:
    """The class of every person of the mart `users`: as planted, and as the mart says.

    Bots are left out, and so are the devices of people who are known by another id. Whoever is not among the
    planted users was a passer-by on one day. A person whose first day lies in the last week is new.
    """
    tables = truth_tables(site, days)
    planted = {row["user_id"]: row for row in tables["users"].to_pylist()}
    devices = set(tables["devices"]["anonymous_id"].to_pylist()) - set(planted)
    end = dt.datetime.combine(START + dt.timedelta(days=days), dt.time())
    pairs = []
    for user, first_seen_at, engagement_class in warehouse.rows(
        "select user_id, first_seen_at, engagement_class from users"
    ):
        row = planted.get(user)
        if user in devices or (row and row["is_bot"]):
            continue
        if first_seen_at > end - dt.timedelta(days=7):
            truth = "new"
        elif row is None:
            truth = "one-time"
        else:
            truth = {"lapsed": "inactive"}.get(row["engagement_class"], row["engagement_class"])
        pairs.append((truth, engagement_class))
    return pairs


def share_right(pairs: list[tuple[str, str]]) -> float:
    """Share of the people whose class is the planted one."""
    return float(np.mean([truth == said for truth, said in pairs]))
