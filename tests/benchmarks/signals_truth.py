"""Effects of small actions beside those that the simulator planted, over ten sites.

Counting alone is the rival: a visit that goes on for longer zooms and buys more, and who wants to buy hovers over
the price. Purchases are made common, so that a site of a month says what a site of a year would.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from figure import Figure
from simulated_actions import actions_of, personas_of, products_of, site_of

from ml.sequences.intent.running_visit import NOT_DONE_BY_VISITORS
from ml.sequences.signals.study import FOLLOWED, HAPPENED, study_signals
from ml.sequences.signals.visit_signals import collect_signals

SEEDS, USERS, DAYS = range(1, 11), 4000, 30
CONVERSION = {"add_to_cart": 0.12, "checkout": 1.0, "purchase": 1.0}
PLANTED = {"custom:gallery_zoom": 0.5, "click:reviews": 0.3, "hover:price": 0.0, "custom:scroll_reversal": 0.0}
ORDER = ("click:size_guide", "click:delivery")
MINIMUM_PEOPLE = 20


def measure(size: float) -> Iterator[Figure]:
    """Yield in how many sites the intervals hold what was planted; `size` takes fewer sites."""
    seeds = SEEDS[: max(1, round(len(SEEDS) * size))]
    held: dict[str, list[bool]] = {name: [] for name in PLANTED}
    lifts: dict[str, list[float]] = {name: [] for name in PLANTED}
    counted: dict[str, list[float]] = {name: [] for name in PLANTED}
    orders, false_orders, found, false = [], [], [], []
    for seed in seeds:
        rows = _study(seed)
        for row in rows:
            name = row["signal"]
            if row["comparison"] == HAPPENED and name in PLANTED:
                held[name].append(row["lift_low"] <= PLANTED[name] <= row["lift_high"])
                lifts[name].append(row["lift"])
                counted[name].append(row["raw_lift"])
        discoveries = {row["signal"] for row in rows if row["comparison"] == HAPPENED and row["is_discovery"]}
        causes = {name for name, lift in PLANTED.items() if lift} | set(ORDER)
        found.append(len(discoveries & causes))
        false.append(len(discoveries - causes))
        pairs = [
            (row["signal"], row["then_signal"])
            for row in rows
            if row["comparison"] == FOLLOWED and row["is_discovery"] and row["lift"] > 0
        ]
        orders.append(ORDER in pairs)
        false_orders.append(len(set(pairs) - {ORDER}))
    for name, planted in PLANTED.items():
        yield Figure(
            f"signals: {name}, sites of {len(seeds)} whose interval holds the planted {planted:+.2f}",
            float(np.sum(held[name])),
            "sites",
            f"mean lift {np.mean(lifts[name]):+.3f}; as counted",
            float(np.mean(counted[name])),
        )
    yield Figure(f"signals: order found, sites of {len(seeds)}", float(np.sum(orders)), "sites")
    yield Figure("signals: other orders found", float(np.mean(false_orders)), "a site")
    yield Figure(
        "signals: causes found", float(np.mean(found)), "a site", "others found, of some 26", float(np.mean(false))
    )


def _study(seed: int) -> list[dict[str, object]]:
    site = site_of(seed, USERS, DAYS, **CONVERSION)
    visits = collect_signals(
        actions_of(site, DAYS, NOT_DONE_BY_VISITORS),
        products_of(site, DAYS),
        personas_of(site, DAYS),
        "purchase",
        MINIMUM_PEOPLE,
    )
    return [row for row in study_signals(visits, MINIMUM_PEOPLE, 1).to_pylist() if row["segment"] == "all"]
