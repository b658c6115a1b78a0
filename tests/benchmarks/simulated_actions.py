"""The actions of visits on a simulated site, straight from its events, as the warehouse would give them."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa

from ml.settings import load_settings
from ml.sources.simulator import Site
from ml.sources.simulator.truth import canonical_ids

START = dt.date(2026, 3, 1)
COLUMNS = (
    "event_id", "event_type", "session_id", "user_id", "anonymous_id", "item_id", "properties", "occurred_at",
    "value", "device_type", "received_at",
)  # fmt: skip
ACTIONS = (
    "session_key", "session_id", "user_id", "device_type", "occurred_at", "event_type", "element", "item_id",
    "value", "is_purchase",
)  # fmt: skip


def site_of(seed: int, users: int, days: int, **conversion: float) -> Site:
    """Return a site whose funnel has other knobs than usual."""
    settings = load_settings().simulator
    changed = settings.conversion.model_copy(update=conversion)
    return Site(settings.model_copy(update={"users": users, "days": days, "conversion": changed}), seed, START)


def actions_of(site: Site, days: int, not_actions: frozenset[str]) -> pa.Table:
    """Return the actions of people in the order of people and of time, with the id of their session."""
    events = pa.concat_tables([part.select(COLUMNS) for part in site.events(0, days)]).to_pandas()
    is_sound = events["event_id"].notna() & events["session_id"].notna() & (events["device_type"] != "bot")
    is_sound &= events["occurred_at"] <= events["received_at"]
    events = events[is_sound & ~events["event_type"].isin(not_actions)].drop_duplicates("event_id")
    events["element"] = events["properties"].astype(str).str.extract(r'"element":"([a-z_]+)"')[0]
    events.loc[~events["event_type"].isin(["click", "hover"]), "element"] = None
    known, device = events["user_id"].astype(object), events["anonymous_id"].astype(object)
    events["user_id"] = known.where(known.notna(), device)
    sessions = events.groupby("session_id", observed=True)
    events["user_id"] = sessions["user_id"].transform("last")
    events["started_at"] = sessions["occurred_at"].transform("min")
    events = events.sort_values(["user_id", "started_at", "session_id", "occurred_at", "event_id"])
    events["session_key"] = pd.factorize(events["session_id"])[0].astype("uint64")
    events["is_purchase"] = events["event_type"] == "purchase"
    for name in ("event_type", "session_id", "user_id", "item_id", "device_type", "element"):
        events[name] = events[name].astype(object)
    return pa.Table.from_pandas(events[list(ACTIONS)], preserve_index=False)


def products_of(site: Site, days: int) -> frozenset[str]:
    """Return the items that are sold."""
    items = site.catalogue(0, days).to_pandas()
    return frozenset(items.loc[items["price"].notna(), "item_id"])


def personas_of(site: Site, days: int) -> dict[str, str]:
    """Return the planted persona of each person, which stands for a segment that was found again."""
    users = site.population(days)
    names = site.model.tables.names
    ids = canonical_ids(site, users, days).to_pylist()
    return {
        user: names[persona] for user, persona in zip(ids, users.persona.tolist(), strict=True) if persona >= 0
    }
