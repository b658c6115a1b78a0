"""Compares figures of the marts with a plain count of the raw events, and the marts with each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path

import pandas as pd

from ml.errors import TesseraError
from ml.events.log import EventLog
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.settings import Settings
from orchestration.upkeep.plain_counts import PlainCounts, PlainVisits, count_plainly
from orchestration.warehouse.warehouse import Warehouse, WarehouseMissingError

_SUMS = {
    "events": "events",
    "page views": "page_views",
    "clicks": "clicks",
    "impressions": "impressions",
    "carts": "add_to_carts",
    "checkouts": "checkouts",
    "sign-ups": "signups",
    "subscriptions": "subscribes",
    "searches": "searches",
    "purchases": "purchases",
    "revenue": "revenue",
}
"""Column of the marts by name of the figure."""
_RELATIVE_ROUNDING = 1e-9
Number = int | float


class StaleWarehouseError(TesseraError):
    """The warehouse was built from parts that are no longer in the event log."""


@dataclass(frozen=True)
class FigureComparison:
    """A figure counted in two ways.

    Attributes:
        figure: name of the figure.
        expected: what the raw events, or the sessions, add up to.
        value: what the mart says.
        mart: name of the mart.
        reason: why the two may differ, empty if they may not.
        tolerance: largest difference that the reason explains.
    """

    figure: str
    expected: Number | str
    value: Number | str
    mart: str
    reason: str = ""
    tolerance: Number = 0

    @property
    def is_equal(self) -> bool:
        """Return whether both ways give the same, but for the rounding of sums."""
        if isinstance(self.expected, str) or isinstance(self.value, str):
            return self.expected == self.value
        return isclose(self.expected, self.value, rel_tol=_RELATIVE_ROUNDING, abs_tol=1e-6)

    @property
    def agrees(self) -> bool:
        """Return whether the difference is none, or no larger than its reason explains."""
        if self.is_equal:
            return True
        if isinstance(self.expected, str) or isinstance(self.value, str):
            return False
        return abs(self.expected - self.value) <= self.tolerance * (1 + _RELATIVE_ROUNDING)


@dataclass(frozen=True)
class PlainCheck:
    """The comparisons of a home.

    Attributes:
        comparisons: figures counted in two ways.
        rows: rows of the event log that were read.
        repeats: copies of events among them.
        erased: rows of erased people among them.
        new_parts: parts that came after the last materialization, which are not compared.
    """

    comparisons: tuple[FigureComparison, ...]
    rows: int
    repeats: int
    erased: int
    new_parts: int

    @property
    def agrees(self) -> bool:
        """Return whether all figures agree."""
        return all(entry.agrees for entry in self.comparisons)


def check_home(home: Home, settings: Settings) -> PlainCheck:
    """Count the events that the warehouse was built from, and compare.

    Raises:
        WarehouseMissingError: the warehouse was never built.
        StaleWarehouseError: parts that it was built from are gone, after a compaction, retention or erasure.
    """
    warehouse, log = Warehouse(home.warehouse), EventLog(home)
    if "sessions" not in warehouse.tables():
        raise WarehouseMissingError("the warehouse has no table sessions: run `tessera materialize` first")
    built = {Path(path).name for path in warehouse.read("staging.stg_event_parts")["part_path"].to_pylist()}
    parts = {log.path(part).name: log.path(part) for part in log.parts() if part.rows}
    if built - parts.keys():
        raise StaleWarehouseError(
            "the event log was compacted or thinned since the last run: run `tessera materialize` first"
        )
    erased = ErasedIds(home)
    erased.refresh()
    plain = count_plainly([parts[name] for name in sorted(built)], erased, settings.warehouse)
    comparisons = (
        *_compare_events(warehouse, plain),
        *_compare_money(warehouse, plain),
        *_compare_people(warehouse, plain),
        *_compare_visits(warehouse, plain.visits),
        *_compare_marts(warehouse, settings),
    )
    return PlainCheck(comparisons, plain.rows, plain.repeats, plain.erased, len(parts.keys() - built))


def _compare_events(warehouse: Warehouse, plain: PlainCounts) -> Iterator[FigureComparison]:
    """Compare numbers of events and the times of the first and the last with all sessions, bots included."""
    sums = ", ".join(f"sum({column}) as {column}" for column in _SUMS.values())
    row = warehouse.read(
        f"select {sums}, min(started_at) as first_at, max(ended_at) as last_at from sessions"
    ).to_pylist()[0]
    reason = f"{plain.quick_views:,} views come shortly after one of the same address, and may be of one load"
    for name, count in {"events": plain.events, **plain.of_type}.items():
        is_uncertain = name == "page views" and plain.quick_views > 0
        yield FigureComparison(
            name,
            count,
            int(row[_SUMS[name]] or 0),
            "sessions",
            reason if is_uncertain else "",
            plain.quick_views if is_uncertain else 0,
        )
    for name, at in (("first event", plain.first_at), ("last event", plain.last_at)):
        yield FigureComparison(
            name, _format_time(at), _format_time(row[name.replace(" event", "_at")]), "sessions"
        )
    yield FigureComparison(
        "purchases",
        plain.purchases,
        int(row["purchases"] or 0),
        "sessions",
        f"{plain.scattered_orders:,} orders have lines in several visits" if plain.scattered_orders else "",
        plain.scattered_orders,
    )


def _compare_money(warehouse: Warehouse, plain: PlainCounts) -> Iterator[FigureComparison]:
    """Compare the amounts by currency, each in itself; a warehouse without such a table has a single sum."""
    left_out = "is_bot or is_internal"
    row = warehouse.read(
        "select coalesce(sum(revenue), 0) as revenue, "
        f"coalesce(sum(abs(revenue)) filter (where {left_out}), 0) as left_out, "
        f"count(*) filter (where ({left_out}) and purchases > 0) as sessions from sessions"
    ).to_pylist()[0]
    if "revenue_by_currency" not in warehouse.tables():
        if len(plain.amounts) <= 1:
            yield FigureComparison("revenue", sum(plain.amounts.values()), row["revenue"], "sessions")
        return
    rows = warehouse.read(
        "select currency, max(site_currency) as site_currency, sum(original_amount) as amount "
        "from revenue_by_currency group by currency"
    ).to_pylist()
    site_currency = next((entry["site_currency"] for entry in rows), "")
    amounts: dict[str, float] = {}
    for code, amount in plain.amounts.items():
        amounts[code or site_currency] = amounts.get(code or site_currency, 0.0) + amount
    values = {entry["currency"]: entry["amount"] or 0.0 for entry in rows}
    reason = f"{row['sessions']:,} visits of bots or the site's own people with purchases are left out"
    # What they spent is known in the currency of the site alone.
    tolerances = {site_currency: float(row["left_out"])}
    for code in sorted(amounts.keys() | values.keys()):
        yield FigureComparison(
            f"revenue in {code or 'no currency'}",
            amounts.get(code, 0.0),
            values.get(code, 0.0),
            "revenue_by_currency",
            reason if row["sessions"] else "",
            tolerances.get(code, float("inf")) if row["sessions"] else 0,
        )


def _compare_people(warehouse: Warehouse, plain: PlainCounts) -> Iterator[FigureComparison]:
    """Compare the numbers of known users and of all people with those of all sessions."""
    row = warehouse.read(
        "select count(distinct user_id) filter (where is_known) as known, count(distinct user_id) as people "
        "from sessions"
    ).to_pylist()[0]
    yield FigureComparison("known users", plain.known_users, int(row["known"]), "sessions")
    yield FigureComparison(
        "people",
        plain.known_users + plain.anonymous_devices,
        int(row["people"]),
        "sessions",
        f"{plain.shared_devices:,} devices are shared, and their visits without a login may be nobody's"
        if plain.shared_devices
        else "",
        plain.shared_devices,
    )


def _compare_visits(warehouse: Warehouse, plain: PlainVisits) -> Iterator[FigureComparison]:
    """Compare the visits on simple devices, and how many of these came back on another day."""
    sessions = warehouse.read("select device_id, started_at from sessions").to_pandas()
    simple = sessions[sessions["device_id"].isin(plain.devices)]
    days = simple.assign(day=simple["started_at"].dt.floor("D")).groupby("device_id")["day"].nunique()
    share = f"on the {len(plain.devices):,} of {plain.all_devices:,} devices where silence alone ends a visit"
    yield FigureComparison(f"visits {share}", plain.visits, len(simple), "sessions")
    yield FigureComparison(
        "returning visitors on these devices", plain.returning, int((days > 1).sum()), "sessions"
    )


def _compare_marts(warehouse: Warehouse, settings: Settings) -> Iterator[FigureComparison]:
    """Compare the totals over days and over users with those over the sessions that count."""
    condition = " and ".join(
        ["true"]
        + (["not is_bot"] if settings.warehouse.leave_out_bots else [])
        + (["not is_internal"] if settings.warehouse.leave_out_internal else [])
    )
    sums = ", ".join(f"coalesce(sum({column}), 0) as {column}" for column in _SUMS.values())
    expected = warehouse.read(f"select {sums} from sessions where {condition}").to_pylist()[0]
    for mart in ("daily_metrics", "users"):
        columns = set(warehouse.read(f"select * from {mart} limit 0").column_names)
        shown = {name: column for name, column in _SUMS.items() if column in columns}
        sums = ", ".join(f"coalesce(sum({column}), 0) as {column}" for column in shown.values())
        totals = warehouse.read(f"select {sums} from {mart}").to_pylist()[0]
        for name, column in shown.items():
            yield FigureComparison(
                f"{name} of people", _to_number(expected[column]), _to_number(totals[column]), mart
            )


def _to_number(value: object) -> Number:
    """Return a sum of the warehouse, which may be a decimal, as a number."""
    number = float(str(value))
    return int(number) if number.is_integer() else number


def _format_time(at: object) -> str:
    """Format a time in UTC to the millisecond."""
    moment = pd.Timestamp(at)  # type: ignore[arg-type]
    return (moment.tz_convert(None) if moment.tzinfo else moment).isoformat(sep=" ", timespec="milliseconds")
