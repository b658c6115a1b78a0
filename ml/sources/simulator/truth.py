"""The planted truth, written beside the events for those who measure. No part of the pipeline reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.events.contract import TIMESTAMP
from ml.home import make_folder
from ml.sources.simulator.contents import CLICK_CHANCES, CONTENTS, DEVICES, SHOWN_CHANCES, SLOT
from ml.sources.simulator.encoding import device_ids, session_ids, user_ids
from ml.sources.simulator.experiments import VARIANTS
from ml.sources.simulator.funnel import ORDER, signals
from ml.sources.simulator.hidden_traits import hidden_traits
from ml.sources.simulator.items import DAY_MS, topic_vectors
from ml.sources.simulator.personas import DAYPARTS
from ml.sources.simulator.places import PLACES
from ml.sources.simulator.population import DEVICE_SLOTS, Engagement, Population
from ml.sources.simulator.site import Site
from ml.sources.simulator.taste import SECOND_TOPIC_SHARE, change_day, changes_taste
from ml.sources.simulator.texts import item_ids
from ml.sources.simulator.topics import CATEGORY_NAMES, TOPICS

CLASS_NAMES = {Engagement.FREQUENT: "frequent", Engagement.OCCASIONAL: "occasional", Engagement.LAPSED: "lapsed"}


def truth_tables(site: Site, until_day: int) -> dict[str, pa.Table]:
    """All truth as it stands at the beginning of a day, by the name of the table."""
    users = site.population(until_day)
    return {
        "users": _users(site, users, until_day),
        "passers_by": _passers_by(site, until_day),
        "items": _items(site, until_day),
        "signals": _signals(site),
        "orders": _orders(site),
        "visits": _visits(site, until_day),
        "experiments": _experiments(site),
        "contents": _contents(),
        "changes": _changes(site),
        "devices": _devices(site, users, until_day),
    }


def write_truth(site: Site, until_day: int, folder: Path) -> None:
    """Write all truth tables as `<name>.parquet`, replacing what was there."""
    make_folder(folder)
    for name, table in truth_tables(site, until_day).items():
        pq.write_table(table, folder / f"{name}.parquet")


def canonical_ids(site: Site, users: Population, until_day: int) -> pa.Array:
    """The id of each person: the user id of who is known before a day, else the only device's anonymous id."""
    is_known = users.known_from < np.minimum(users.until_day, until_day)
    user_id, anonymous_id = user_ids(users.key, site.seed), device_ids(users.device_keys[:, 0])
    return pa.array(np.where(is_known, user_id.to_numpy(False), anonymous_id.to_numpy(False)), pa.string())


def _users(site: Site, users: Population, until_day: int) -> pa.Table:
    """One row per user or bot. Bots have no persona; `joined_at` is null for who came before the first day."""
    is_bot = users.engagement == Engagement.BOT
    names = np.array([*site.model.tables.names, ""], dtype=object)
    joined = (site.start_ms + users.from_day.astype(np.int64) * DAY_MS) * 1000
    return pa.table(
        {
            "user_id": canonical_ids(site, users, until_day),
            "persona": pa.array(names[users.persona], pa.string(), mask=is_bot),
            "engagement_class": pa.array([CLASS_NAMES.get(Engagement(code)) for code in users.engagement]),
            "daypart": pa.array(np.array(DAYPARTS, dtype=object)[users.daypart], pa.string(), mask=is_bot),
            "timezone": pa.array([PLACES[place].timezone for place in users.place]),
            "is_bot": pa.array(is_bot),
            "joined_at": pa.array(joined, mask=users.from_day < 0).cast(pa.timestamp("us")).cast(TIMESTAMP),
            "changes_taste": pa.array(changes_taste(users, site.settings.planted, site.seed)),
            "interest": _vectors(users.interest),
        }
    )


def _passers_by(site: Site, until_day: int) -> pa.Table:
    """One row per visitor of a single day, who is known by the browser's id alone."""
    if not until_day:
        return pa.table({"user_id": pa.array([], pa.string()), "persona": pa.array([], pa.string())})
    passing = site.passers_by(until_day)
    names = np.array(site.model.tables.names, dtype=object)
    return pa.table(
        {
            "user_id": device_ids(passing.device_keys[:, 0]).cast(pa.string()),
            "persona": pa.array(names[passing.persona], pa.string()),
        }
    )


def _items(site: Site, until_day: int) -> pa.Table:
    """One row per item; `topics` is in the order of the column `topic` of changes, and adds up to 1."""
    items = site.items(until_day)
    return pa.table(
        {"item_id": item_ids(items), "appeal": pa.array(items.appeal), "topics": _vectors(topic_vectors(items))}
    )


def _signals(site: Site) -> pa.Table:
    """One row per micro-interaction; `true_lift`: the relative rise of the session's conversion that it causes."""
    planted = signals(site.settings.conversion)
    return pa.table(
        {
            "micro_interaction": [signal.name for signal in planted],
            "true_lift": [signal.lift for signal in planted],
            "is_causal": [signal.lift > 0 for signal in planted],
            "event_type": [signal.event_type for signal in planted],
            "element": pa.array([signal.element or None for signal in planted], pa.string()),
        }
    )


def _orders(site: Site) -> pa.Table:
    """One row per order of two clicks; `true_lift`: the relative rise of conversion that it causes."""
    return pa.table(
        {
            "first_element": [ORDER.first, ORDER.then],
            "then_element": [ORDER.then, ORDER.first],
            "true_lift": [site.settings.conversion.order_lift, 0.0],
        }
    )


def _visits(site: Site, until_day: int) -> pa.Table:
    """One row per session: the intent that no event says, and whether it grows tired."""
    keys = site.session_keys(until_day)
    hidden = hidden_traits(keys, site.seed, site.settings.browsing.tired_share)
    return pa.table(
        {
            "session_id": session_ids(keys),
            "intent": pa.array(hidden.intent),
            "is_tired": pa.array(hidden.is_tired),
        }
    )


def _experiments(site: Site) -> pa.Table:
    """One row per experiment and metric: `true_lift` is the relative lift of the metric per exposed user."""
    rows = [(experiment, metric, lift) for experiment in site.planted for metric, lift in experiment.lifts.items()]
    return pa.table(
        {
            "experiment_id": [experiment.experiment_id for experiment, _, _ in rows],
            "metric": [metric for _, metric, _ in rows],
            "true_lift": [lift for _, _, lift in rows],
            "control": [VARIANTS[0] for _ in rows],
            "treatment": [VARIANTS[1] for _ in rows],
            "started_at": _midnights(site, [experiment.start_day for experiment, _, _ in rows]),
            "ended_at": _midnights(site, [experiment.end_day for experiment, _, _ in rows]),
        }
    )


def _contents() -> pa.Table:
    """One row per content of the hero slot and kind of device: the chance to be shown, and then clicked."""
    places = [(device, content) for device in range(len(DEVICES)) for content in range(len(CONTENTS))]
    return pa.table(
        {
            "slot": [SLOT] * len(places),
            "content": [CONTENTS[content] for _, content in places],
            "device_type": [DEVICES[device] for device, _ in places],
            "shown_chance": [float(SHOWN_CHANCES[place]) for place in places],
            "click_chance": [float(CLICK_CHANCES[place]) for place in places],
        }
    )


def _changes(site: Site) -> pa.Table:
    """One row per topic: its share in the interest of its category, before and after, of the users who change."""
    n = len(TOPICS)
    after = [SECOND_TOPIC_SHARE if place % 2 else 1 - SECOND_TOPIC_SHARE for place in range(n)]
    return pa.table(
        {
            "changed_at": _midnights(site, [change_day(site.settings.planted, site.settings.days)] * n),
            "topic": [topic.name for topic in TOPICS],
            "category": [CATEGORY_NAMES[topic.category] for topic in TOPICS],
            "share_before": [0.5] * n,
            "share_after": after,
        }
    )


def _devices(site: Site, users: Population, until_day: int) -> pa.Table:
    """One row per user and device."""
    ids = canonical_ids(site, users, until_day)
    row, slot = np.nonzero(users.devices >= 0)
    keys, counts = np.unique(users.device_keys[users.devices >= 0], return_counts=True)
    shared = keys[counts > 1]
    device_keys = users.device_keys.reshape(-1, DEVICE_SLOTS)[row, slot]
    return pa.table(
        {
            "user_id": ids.take(pa.array(row)),
            "anonymous_id": device_ids(device_keys),
            "is_shared": pa.array(np.isin(device_keys, shared)),
        }
    )


def _vectors(matrix: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(matrix, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _midnights(site: Site, days: list[int]) -> pa.Array:
    micros = [(site.start_ms + day * DAY_MS) * 1000 for day in days]
    return pa.array(micros, pa.int64()).cast(pa.timestamp("us")).cast(TIMESTAMP)
