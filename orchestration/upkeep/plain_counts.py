"""Counts raw events without SQL, to be compared with the marts.

The rules are written here a second time, plainly, over data frames: which copy of an event counts, who vouches for
it, what a purchase is, and where a visit ends. Nothing here uses the code of the warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.privacy.erased_ids import ErasedIds
from ml.settings.warehouse import WarehouseSettings

_COLUMNS = (
    "event_id",
    "event_type",
    "occurred_at",
    "received_at",
    "user_id",
    "anonymous_id",
    "session_id",
    "item_id",
    "recommendation_id",
    "page_url",
    "properties",
    "value",
    "source",
    "authority",
)
_SCHEMA = pa.schema(
    [
        (name, pa.timestamp("us") if name.endswith("_at") else pa.float64() if name == "value" else pa.string())
        for name in _COLUMNS
    ]
)
_CLAIMS = ("browser", "signed")
_RANKS = {"service": 0, "server": 1, "signed": 2, "browser": 3}
COUNTED_TYPES = {
    "page views": "page_view",
    "clicks": "click",
    "impressions": "impression",
    "carts": "add_to_cart",
    "checkouts": "checkout",
    "sign-ups": "signup",
    "subscriptions": "subscribe",
    "searches": "search",
}
"""Figures that are the number of events of a type, by name."""


@dataclass(frozen=True)
class PlainVisits:
    """Visits on devices where silence alone ends a visit.

    These are the devices of one person who uses no other device, without campaign links and without sessions of
    the client. Elsewhere a visit depends on more than the times of its events.

    Attributes:
        devices: ids of these devices.
        all_devices: number of all devices.
        visits: number of visits on these devices.
        returning: devices of them with visits on two days or more.
    """

    devices: frozenset[str]
    all_devices: int
    visits: int
    returning: int


@dataclass(frozen=True)
class PlainCounts:
    """What the events of some parts add up to.

    Attributes:
        rows: rows of the parts.
        erased: rows of people who asked to be erased.
        repeats: copies of events that were received before.
        of_type: events by name of the figure, see COUNTED_TYPES.
        quick_views: page views shortly after one of the same address by the same person, or with its page view id.
        events: events that count.
        purchases: orders, refunds and claims left out.
        scattered_orders: orders whose lines are further apart than a visit's silence, or name several people.
        amounts: sum of purchases less refunds by currency, in that currency; the key is empty where none is named.
        known_users: users for whom somebody else than a browser vouches.
        anonymous_devices: devices on which no such user was seen.
        shared_devices: devices on which several were seen.
        first_at: time of the first event, in UTC.
        last_at: time of the last event.
        visits: visits on simple devices.
    """

    rows: int
    erased: int
    repeats: int
    of_type: dict[str, int]
    quick_views: int
    events: int
    purchases: int
    scattered_orders: int
    amounts: dict[str, float]
    known_users: int
    anonymous_devices: int
    shared_devices: int
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    visits: PlainVisits


def count_plainly(files: Sequence[Path], erased: ErasedIds, settings: WarehouseSettings) -> PlainCounts:
    """Count the events of these Parquet files.

    Args:
        files: sealed parts of the event log.
        erased: ids of people who asked to be erased.
        settings: thresholds that decide what counts.
    """
    tables = [_read_part(file) for file in files]
    rows = sum(len(table) for table in tables)
    kept = [erased.without(table) for table in tables]
    events = pa.concat_tables([_SCHEMA.empty_table(), *kept]).to_pandas(types_mapper=pd.ArrowDtype)
    events = _name_people(events)
    unique = _without_repeats(events)
    purchases = _read_purchases(unique, settings)
    orders = purchases[~purchases["is_refund"]]
    spread = orders.groupby("order_id").agg(
        first=("occurred_at", "min"), last=("occurred_at", "max"), people=("person", "nunique")
    )
    silence = pd.Timedelta(minutes=settings.session_timeout_minutes)
    users_of_devices = unique[unique["device"].notna()].groupby("device")["user"].nunique()
    types = unique["event_type"].value_counts()
    return PlainCounts(
        rows=rows,
        erased=rows - len(events),
        repeats=len(events) - len(unique),
        of_type={name: int(types.get(event_type, 0)) for name, event_type in COUNTED_TYPES.items()},
        quick_views=_count_quick_views(unique, settings.same_view_seconds),
        events=len(unique),
        purchases=len(spread),
        scattered_orders=int(((spread["last"] - spread["first"] > silence) | (spread["people"] > 1)).sum()),
        amounts={str(code): float(total) for code, total in purchases.groupby("currency")["value"].sum().items()},
        known_users=int(unique["user"].nunique()),
        anonymous_devices=int((users_of_devices == 0).sum()),
        shared_devices=int((users_of_devices > 1).sum()),
        first_at=unique["occurred_at"].min(),
        last_at=unique["occurred_at"].max(),
        visits=_count_visits(unique, users_of_devices, settings),
    )


def _read_part(file: Path) -> pa.Table:
    """Read a part; only properties that are read here are kept, because they are as large as all the rest."""
    table = pq.ParquetFile(file).read()
    for name in _COLUMNS:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
    table = table.select(list(_COLUMNS))
    properties = pc.cast(table["properties"], pa.string())
    is_read = pc.or_(
        pc.equal(table["event_type"], "purchase"),
        pc.fill_null(pc.match_substring(properties, '"page_view_id"'), fill_value=False),
    )
    texts = pc.if_else(is_read, properties, pa.scalar(None, pa.string()))
    return table.set_column(_COLUMNS.index("properties"), "properties", texts).cast(_SCHEMA)


def _name_people(events: pd.DataFrame) -> pd.DataFrame:
    """Add `user`, who is vouched for, and `device`; a browser's user is a device, and blank is nobody."""
    is_browser = (events["authority"] == "browser").fillna(value=False)
    user = events["user_id"].mask(events["user_id"] == "")
    device = events["anonymous_id"].mask(events["anonymous_id"] == "")
    device = device.where(~is_browser, device.fillna(events["user_id"]))
    user = user.mask(is_browser)
    return events.assign(user=user, device=device, person=user.fillna(device))


def _without_repeats(events: pd.DataFrame) -> pd.DataFrame:
    """Keep one copy of each event of a sender: of the highest authority, and of these the first that was received.

    Servers share one space of ids; each browser has its own.
    """
    authority = events["authority"].fillna("server").astype(str)
    is_claim = authority.isin(_CLAIMS)
    sender = events["device"].fillna(events["user_id"]).where(is_claim)
    ranked = events.assign(sender=sender, is_claim=is_claim, rank=authority.map(_RANKS))
    keys = ["is_claim", "sender", "event_id"]
    repeated = ranked.duplicated(keys, keep=False)
    first = ranked[repeated].sort_values(
        ["rank", "received_at", "event_type", "occurred_at", "value"], kind="stable"
    )
    return pd.concat([ranked[~repeated], first.drop_duplicates(keys)])


def _read_purchases(events: pd.DataFrame, settings: WarehouseSettings) -> pd.DataFrame:
    """Return the purchases and refunds that count, with `order_id`, `currency` and `is_refund`."""
    purchases = events[events["event_type"] == "purchase"]
    if not settings.count_browser_conversions:
        purchases = purchases[~purchases["is_claim"]]
    least, most = settings.value_limits.get("purchase", (float("-inf"), float("inf")))
    details = [_read_details(text) for text in purchases["properties"]]
    order_id = pd.Series([detail.get("order_id") for detail in details], index=purchases.index, dtype=object)
    return purchases.assign(
        order_id=order_id.where(order_id.notna() & (order_id != ""), purchases["event_id"]).astype(str),
        currency=[_currency_of(detail) for detail in details],
        is_refund=(purchases["value"] < 0).fillna(value=False).astype(bool),
        value=purchases["value"].where(purchases["value"].between(least, most)).astype(float),
    )


def _count_quick_views(events: pd.DataFrame, seconds: float) -> int:
    """Count the page views that may be of the same load as an earlier one."""
    views = events[events["event_type"] == "page_view"]
    url = views["page_url"].fillna(views["item_id"]).fillna("").astype(str)
    is_route = url.str.contains("#/", regex=False) | url.str.contains("#!", regex=False)
    address = url.where(is_route, url.str.split("#", n=1).str[0])
    ordered = views.assign(
        address=address, visitor=views["device"].fillna(views["person"]).astype(str)
    ).sort_values(["visitor", "address", "occurred_at"])
    is_same = (ordered["visitor"] == ordered["visitor"].shift()) & (
        ordered["address"] == ordered["address"].shift()
    )
    gap = ordered["occurred_at"] - ordered["occurred_at"].shift()
    is_quick = is_same & (gap <= pd.Timedelta(seconds=seconds)).fillna(value=False)
    ids = pd.Series(
        [_read_details(text).get("page_view_id") for text in ordered["properties"]], index=ordered.index
    )
    named = pd.DataFrame({"visitor": ordered["visitor"], "id": ids})
    repeats_id = ids.notna() & named.duplicated(["visitor", "id"])
    return int((is_quick.astype(bool) | repeats_id).sum())


def _read_details(text: object) -> dict[str, object]:
    """Return the properties of an event; none where they are no JSON object."""
    try:
        details = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def _currency_of(details: dict[str, object]) -> str:
    """Return the currency that a purchase names, XXX where that is no code, and nothing where it names none."""
    text = str(details.get("currency") or "").strip().upper()
    return text if not text or (len(text) == 3 and text.isascii() and text.isalpha()) else "XXX"


def _count_visits(
    events: pd.DataFrame, users_of_devices: pd.Series[int], settings: WarehouseSettings
) -> PlainVisits:
    """Count the visits on simple devices, see `PlainVisits`."""
    with_user = events[events["user"].notna()]
    places = with_user.assign(place=with_user["device"].fillna("")).groupby("user")["place"].nunique()
    roaming = set(places[places > 1].index)
    on_servers = set(with_user.loc[with_user["device"].isna(), "user"])
    on_devices = events[events["device"].notna()]
    is_special = (
        on_devices["user"].isin(roaming | on_servers)
        | (on_devices["source"].isin(settings.trusted_session_sources) & on_devices["session_id"].notna())
        | on_devices["page_url"].str.contains("utm_campaign=", regex=False).fillna(value=False)
    )
    special = set(on_devices.loc[is_special.astype(bool), "device"]) | set(
        users_of_devices[users_of_devices > 1].index
    )
    simple = on_devices[~on_devices["device"].isin(special)].sort_values(["device", "occurred_at"])
    times, devices = simple["occurred_at"], simple["device"].astype(str)
    starts = (devices != devices.shift()) | (
        times - times.shift() > pd.Timedelta(minutes=settings.session_timeout_minutes)
    ).fillna(value=False)
    days = pd.DataFrame({"device": devices[starts], "day": times[starts].dt.floor("D")})
    returning = int((days.groupby("device")["day"].nunique() > 1).sum())
    return PlainVisits(frozenset(devices.unique()), len(users_of_devices), int(starts.sum()), returning)
