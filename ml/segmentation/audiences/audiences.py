"""A segment on its way out of the building: who may be written to, with what, when; and a log of every contact."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ml.arrays import Bools
from ml.errors import InvalidInputError
from ml.local_clock import hour_of, is_within, zone
from ml.segmentation.features.features import USER_ID
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
        users = pa.concat_arrays([*_chunks(audience.table.column(USER_ID)), *_chunks(audience.held_out)])
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
            `name`, and of the quiet hours that they set themselves: `quiet_from_hour`, `quiet_until_hour`.
        strategies: text for each of them.
        contacts: earlier contacts, `CONTACT_SCHEMA`.
        settings: cap, quiet period between contacts and quiet hours.
        now: the clock.
        exclude_contacted_days: leave out who was contacted within so many days, if longer than the quiet period.
        hold_out: share of the users who are not contacted but logged, so that an experiment can tell what the
            contact did. It depends on the audience's name and the user alone: the same people are held out each
            time.

    The table has `user_id, audience, strategy, send_after` (UTC, outside the site's quiet hours and the user's
    own, by the user's clock) and the fields. Raises ValueError without the consent column: without it nobody may
    be written to.
    """
    if CONSENT not in users.column_names:
        raise InvalidInputError(f"column {CONSENT!r} is missing, so it is not known who may be contacted")
    ids = users.column(USER_ID).cast(pa.string())
    quiet_days = max(settings.quiet_days, exclude_contacted_days or 0.0)
    sending = _sending_times(users, now, settings)
    refused = {
        "no consent": ~np.asarray(pc.fill_null(users.column(CONSENT), False)),
        f"contacted within {quiet_days:g} days": _contacted(ids, contacts, now, quiet_days, 1),
        f"contacted {settings.cap_contacts} times within {settings.cap_days:g} days": _contacted(
            ids, contacts, now, settings.cap_days, settings.cap_contacts
        ),
        "quiet hours all day": np.array([moment is None for moment in sending], dtype=bool),
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
    columns = {
        USER_ID: chosen.column(USER_ID).cast(pa.string()),
        "audience": pa.repeat(name, chosen.num_rows),
        "strategy": pa.array([text for text, kept in zip(strategies, keep, strict=True) if kept], pa.string()),
        "send_after": pa.array(sending, pa.timestamp("us", tz="UTC")).filter(pa.array(keep)),
    }
    columns |= {
        field: chosen.column(field) for field in ("segment", "name", *FIELDS) if field in chosen.column_names
    }
    return Audience(name, pa.table(columns), ids.filter(pa.array(held)), left_out)


def _held_out(name: str, ids: pa.ChunkedArray, share: float) -> Bools:
    """Which users (n,) are held out of the audience: a hash of both names, below the share."""
    if share <= 0:
        return np.zeros(len(ids), dtype=bool)
    digests = (hashlib.sha256(f"{name}\0{user}".encode()).digest() for user in ids.to_pylist())
    return np.array([int.from_bytes(digest[:8], "big") / 2**64 < share for digest in digests], dtype=bool)


def _contacted(ids: pa.ChunkedArray, contacts: pa.Table, now: dt.datetime, days: float, times: int) -> Bools:
    """Which users (n,) were contacted at least `times` times within `days`."""
    since = pa.scalar(now - dt.timedelta(days=days), CONTACT_SCHEMA.field("contacted_at").type)
    reached = pc.invert(contacts["is_held_out"])
    recent = contacts.filter(pc.and_(reached, pc.greater_equal(contacts["contacted_at"], since)))
    counts = recent.group_by("user_id").aggregate([("audience", "count")])
    often = counts.filter(pc.greater_equal(counts["audience_count"], times))["user_id"]
    return np.asarray(pc.is_in(ids, value_set=often.combine_chunks()))


def _sending_times(users: pa.Table, now: dt.datetime, settings: AudienceSettings) -> list[dt.datetime | None]:
    """`send_after` of each user, by the site's quiet hours and, where they set any, their own."""
    zones, starts, ends = (
        users.column(name).to_pylist() if name in users.column_names else [None] * users.num_rows
        for name in ("timezone", "quiet_from_hour", "quiet_until_hour")
    )
    ours = (float(settings.quiet_from_hour), float(settings.quiet_until_hour))
    return [
        send_after(now, name, [ours] if start is None or end is None else [ours, (start, end)])
        for name, start, end in zip(zones, starts, ends, strict=True)
    ]


def send_after(now: dt.datetime, timezone: str | None, quiet: Sequence[tuple[float, float]]) -> dt.datetime | None:
    """The first moment (UTC) from `now` on that is in none of the quiet hours; None if they cover the whole day.

    Args:
        now: the clock, aware.
        timezone: IANA name of the zone in which the hours are meant; an unknown zone is UTC.
        quiet: from and until, local hours 0 … 24; they may span midnight.
    """
    local = now.astimezone(zone(timezone))
    for _ in range(len(quiet) + 1):  # what ends inside another is left by that one's end, each at most once
        end = next((end for start, end in quiet if is_within(hour_of(local), start, end)), None)
        if end is None:
            return local.astimezone(dt.UTC)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        local = day + dt.timedelta(hours=end, days=0 if end > hour_of(local) else 1)
    return None


def deliver_audience(audience: Audience, file: Path, log: ContactLog, now: dt.datetime) -> None:
    """Write the audience as Parquet or CSV, by the file's suffix, and log the contact.

    The contact is logged before the file appears: after a crash in between people are written to too rarely, not
    twice.
    """
    if file.suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"{file}: an audience is written as .csv or .parquet")
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
