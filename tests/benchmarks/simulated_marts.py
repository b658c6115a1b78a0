"""The marts of a simulated site, made with numpy instead of dbt: what the benchmarks of experiments read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays.hashing import hash_column
from ml.experiments.definition.metrics import MEASURES
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.site import Site

START = dt.date(2026, 3, 2)
_COUNTED = {
    "page_view": "page_views", "impression": "impressions", "click": "clicks", "add_to_cart": "add_to_carts",
    "checkout": "checkouts", "purchase": "purchases", "signup": "signups", "subscribe": "subscribes",
    "like": "likes",
    "bookmark": "likes", "share": "likes", "comment": "likes", "follow": "likes", "dislike": "dislikes",
    "not_interested": "dislikes", "search": "searches", "form_start": "form_starts", "form_submit": "form_submits",
    "video_play": "video_plays",
}  # fmt: skip
_COLUMNS = ("event_id", "event_type", "occurred_at", "user_id", "anonymous_id", "value", "recommendation_id",
            "session_id", "experiment_id", "variant")  # fmt: skip


def simulate(users: int, days: int, seed: int) -> pa.Table:
    """Events of a simulated site, see `simulated`."""
    return simulated(site_of(users, days, seed), days)


def simulated(site: Site, days: int) -> pa.Table:
    """Events of a site's first days: the columns that outcomes are made of, as plain strings, without repeats."""
    opened = dt.datetime.combine(START, dt.time(), dt.UTC)
    closed = opened + dt.timedelta(days=days)
    wanted = pa.array([*_COUNTED, "page_ping", "exposure"])
    parts = []
    for table in site.events(0, days):
        # The planted malformed rows would not pass the collector; here only impossible values and times matter.
        kept = pc.is_in(table["event_type"], value_set=wanted)
        for condition in (
            pc.is_valid(table["event_id"]),
            pc.greater_equal(table["occurred_at"], pa.scalar(opened)),
            pc.less(table["occurred_at"], pa.scalar(closed)),
            pc.less(pc.abs(pc.fill_null(table["value"], 0.0)), 1e6),
        ):
            kept = pc.and_(kept, pc.fill_null(condition, False))
        rows = pa.table({name: table[name] for name in _COLUMNS}).filter(kept)
        person = pc.coalesce(rows["user_id"].cast(pa.string()), rows["anonymous_id"].cast(pa.string()))
        parts.append(rows.drop_columns(["user_id", "anonymous_id"]).append_column("person", person))
    events = pa.concat_tables(parts).unify_dictionaries()
    events = events.filter(pc.is_valid(events["person"]))
    first = np.unique(hash_column(events["event_id"].cast(pa.string()), 0), return_index=True)[1]
    return events.take(pa.array(np.sort(first)))


def unit_days(events: pa.Table) -> pa.Table:
    """The mart `user_days` of simulated events, with numpy instead of dbt."""
    dates = pc.cast(pc.floor_temporal(events["occurred_at"], unit="day"), pa.date32())
    day = pc.cast(dates, pa.int32()).to_numpy().astype(np.int64)
    return _pivot(events, day, "date", pa.date32())


def experiment_tables(events: pa.Table, experiment_id: str) -> tuple[pa.Table, pa.Table]:
    """The marts `exposures` and `experiment_outcomes` of one experiment."""
    own = events.filter(pc.equal(events["experiment_id"].cast(pa.string()), experiment_id))
    first = own.group_by(["person", "variant"]).aggregate([("occurred_at", "min")])
    exposures = pa.table(
        {
            "unit_id": first["person"],
            "user_id": first["person"],
            "variant": first["variant"],
            "first_exposed_at": first["occurred_at_min"],
        }
    )
    at = pc.index_in(events["person"], value_set=exposures["user_id"].combine_chunks())
    known = pc.is_valid(at)
    events, at = events.filter(known), at.filter(known).to_numpy()
    exposed = pc.cast(exposures["first_exposed_at"], pa.int64()).to_numpy()[at]
    moment = pc.cast(events["occurred_at"], pa.int64()).to_numpy()
    return exposures, _pivot(events, (moment - exposed) // 86_400_000_000, "day", pa.int32())


def _pivot(events: pa.Table, day: np.ndarray, name: str, type_: pa.DataType) -> pa.Table:
    person = events["person"].combine_chunks().dictionary_encode()
    low = int(day.min())
    width = int(day.max()) - low + 1
    keys, cell = np.unique(person.indices.to_numpy().astype(np.int64) * width + (day - low), return_inverse=True)
    kind = pc.cast(events["event_type"], pa.string()).combine_chunks().dictionary_encode()
    code, kinds = kind.indices.to_numpy(), kind.dictionary.to_pylist()
    value = np.nan_to_num(events["value"].to_numpy())

    def rows_of(*types: str) -> np.ndarray:
        return np.isin(code, [place for place, name in enumerate(kinds) if name in types])

    out = {measure: np.zeros(len(keys)) for measure in MEASURES}
    for measure in set(_COUNTED.values()):
        rows = rows_of(*(name for name, counted in _COUNTED.items() if counted == measure))
        if measure == "purchases":
            rows &= value >= 0
        out[measure] = np.bincount(cell[rows], minlength=len(keys)).astype(float)
    recommended = rows_of("click") & np.asarray(pc.is_valid(events["recommendation_id"]))
    out["recommendation_clicks"] = np.bincount(cell[recommended], minlength=len(keys)).astype(float)
    out["engaged_seconds"] = np.bincount(cell, weights=value * rows_of("page_ping"), minlength=len(keys))
    out["revenue"] = np.bincount(cell, weights=value * rows_of("purchase"), minlength=len(keys))
    out["sessions"] = np.ones(len(keys))
    days = pa.array((keys % width + low).astype(np.int32)).cast(type_)
    return pa.table({"user_id": person.dictionary.take(pa.array(keys // width)), name: days, **out})


def site_of(users: int, days: int, seed: int, more: Mapping[str, Mapping[str, float]] | None = None) -> Site:
    knobs = SimulatorSettings().model_dump()
    knobs |= {"users": users, "days": days, "items": 200, "new_items_per_day": 2, "passers_by": 0.0}
    knobs |= {section: {**knobs[section], **changes} for section, changes in (more or {}).items()}
    return Site(SimulatorSettings.model_validate(knobs), seed, START)
