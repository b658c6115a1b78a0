"""A segment on its way out of the building: who may be written to, with what, when; and a log of every contact."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ml.segmentation.features import KEY
from ml.settings.segmentation import AudienceSettings

CONSENT = "has_personalization_consent"
CONTACT_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("audience", pa.string()),
        ("contacted_at", pa.timestamp("us", tz="UTC")),
        ("is_held_out", pa.bool_()),
    ]
)
FIELDS = (
    "language", "timezone", "country", "region", "city", "device_type", "channel", "daypart", "engagement_class",
    "top_category",
)  # fmt: skip


class ContactLog:
    """Who was contacted when, one Parquet file an audience, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> pa.Table:
        """All contacts, `CONTACT_SCHEMA`."""
        files = sorted(self.folder.glob("*.parquet"))
        return pa.concat_tables([pq.read_table(file) for file in files]) if files else CONTACT_SCHEMA.empty_table()

    def append(self, audience: Audience, at: dt.datetime) -> Path:
        """Log the audience's contacts and who was held out; on disk when this returns."""
        users = pa.concat_arrays([*_chunks(audience.table.column(KEY)), *_chunks(audience.held_out)])
        rows, contacted = len(users), audience.table.num_rows
        contacts = pa.table(
            [
                users,
                pa.repeat(audience.name, rows),
                pa.repeat(pa.scalar(at, CONTACT_SCHEMA.field("contacted_at").type), rows),
                pa.array(np.arange(rows) >= contacted),
            ],
            schema=CONTACT_SCHEMA,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{at.astimezone(dt.UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"
        _write_durably(contacts, file)
        return file


@dataclass(frozen=True)
class Audience:
    """Users to contact, ready for a mail tool, who is held out, and how many were left out for which reason."""

    name: str
    table: pa.Table
    held_out: pa.ChunkedArray
    left_out: dict[str, int]


def build_audience(
    name: str,
    users: pa.Table,
    strategies: list[str],
    *,
    contacts: pa.Table,
    settings: AudienceSettings,
    now: dt.datetime,
    exclude_contacted_days: float | None = None,
    hold_out: float = 0.0,
) -> Audience:
    """Consenting users of `users` who may be contacted now.

    Args:
        name: of the audience, for the log.
        users: members only: `user_id`, `has_personalization_consent` and what is there of `FIELDS`, `segment`,
        `name`. strategies: text for each of them.
        contacts: earlier contacts, `CONTACT_SCHEMA`.
        settings: cap, quiet period between contacts and quiet hours.
        now: the clock.
        exclude_contacted_days: leave out who was contacted within so many days, if longer than the quiet period.
        hold_out: share of the users who are not contacted but logged, so that an experiment can tell what the
        contact
            did. It depends on the audience's name and the user alone: the same people are held out next time.

    The table has `user_id, audience, strategy, send_after` (UTC, outside the quiet hours of the user's time zone)
    and the fields. Raises ValueError without the consent column: without it nobody may be written to.
    """
    if CONSENT not in users.column_names:
        raise ValueError(f"column {CONSENT!r} is missing, so it is not known who may be contacted")
    ids = users.column(KEY).cast(pa.string())
    quiet_days = max(settings.quiet_days, exclude_contacted_days or 0.0)
    refused = {
        "no consent": ~np.asarray(pc.fill_null(users.column(CONSENT), False)),
        f"contacted within {quiet_days:g} days": _contacted(ids, contacts, now, quiet_days, 1),
        f"contacted {settings.cap_contacts} times within {settings.cap_days:g} days": _contacted(
            ids, contacts, now, settings.cap_days, settings.cap_contacts
        ),
    }
    keep = np.ones(users.num_rows, dtype=bool)
    left_out = {}
    for reason, mask in refused.items():
        left_out[reason] = int((keep & mask).sum())
        keep &= ~mask
    held = keep & _held_out(name, ids, hold_out)
    keep &= ~held
    left_out["held out"] = int(held.sum())
    chosen = users.filter(pa.array(keep))
    zones = (
        chosen.column("timezone").to_pylist() if "timezone" in chosen.column_names else [None] * chosen.num_rows
    )
    columns = {
        KEY: chosen.column(KEY).cast(pa.string()),
        "audience": pa.repeat(name, chosen.num_rows),
        "strategy": pa.array([text for text, kept in zip(strategies, keep, strict=True) if kept], pa.string()),
        "send_after": pa.array([send_after(now, zone, settings) for zone in zones], pa.timestamp("us", tz="UTC")),
    }
    columns |= {
        field: chosen.column(field) for field in ("segment", "name", *FIELDS) if field in chosen.column_names
    }
    return Audience(name, pa.table(columns), ids.filter(pa.array(held)), left_out)


def _held_out(name: str, ids: pa.ChunkedArray, share: float) -> npt.NDArray[np.bool_]:
    """Which users (n,) are held out of the audience: a hash of both names, below the share."""
    if share <= 0:
        return np.zeros(len(ids), dtype=bool)
    digests = (hashlib.sha256(f"{name}\0{user}".encode()).digest() for user in ids.to_pylist())
    return np.array([int.from_bytes(digest[:8], "big") / 2**64 < share for digest in digests], dtype=bool)


def _contacted(
    ids: pa.ChunkedArray, contacts: pa.Table, now: dt.datetime, days: float, times: int
) -> npt.NDArray[np.bool_]:
    """Which users (n,) were contacted at least `times` times within `days`."""
    since = pa.scalar(now - dt.timedelta(days=days), CONTACT_SCHEMA.field("contacted_at").type)
    reached = pc.invert(contacts["is_held_out"])
    recent = contacts.filter(pc.and_(reached, pc.greater_equal(contacts["contacted_at"], since)))
    counts = recent.group_by("user_id").aggregate([("audience", "count")])
    often = counts.filter(pc.greater_equal(counts["audience_count"], times))["user_id"]
    return np.asarray(pc.is_in(ids, value_set=often.combine_chunks()))


def send_after(now: dt.datetime, timezone: str | None, settings: AudienceSettings) -> dt.datetime:
    """The first moment from `now` on that is outside the quiet hours in this time zone; an unknown zone is UTC."""
    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = now.astimezone(zone)
    begin, end = settings.quiet_from_hour, settings.quiet_until_hour
    hour = local.hour
    quiet = begin <= hour < end if begin <= end else hour >= begin or hour < end
    if not quiet:
        return now.astimezone(dt.UTC)
    day = local.date() + dt.timedelta(days=1 if hour >= end else 0)
    return dt.datetime.combine(day, dt.time(end), zone).astimezone(dt.UTC)


def deliver(audience: Audience, file: Path, log: ContactLog, now: dt.datetime) -> None:
    """Write the audience as Parquet or CSV, by the file's suffix, and log the contact.

    The contact is logged before the file appears: after a crash in between people are written to too rarely, not
    twice.
    """
    if file.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{file}: an audience is written as .csv or .parquet")
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.part")
    if file.suffix == ".csv":
        pyarrow.csv.write_csv(audience.table, fresh)
    else:
        pq.write_table(audience.table, fresh)
    log.append(audience, now)
    fresh.replace(file)


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks or [pa.array([], pa.string())]


def _write_durably(table: pa.Table, file: Path) -> None:
    fresh = file.with_name(f".{file.name}.part")
    with fresh.open("wb") as stream:
        pq.write_table(table, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
