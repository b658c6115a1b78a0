"""Build audiences from segments: who may be contacted, with which strategy and when, and a log of all contacts."""

from __future__ import annotations

import datetime as dt
import hashlib
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
from ml.home import make_folder
from ml.integrity.checked_tables import read_checked_table, write_named_by_content
from ml.local_clock import HourSpan
from ml.segmentation.audiences.sending_times import compute_sending_times
from ml.segmentation.consent import CONSENT, mask_consenting
from ml.segmentation.features.features import USER_ID
from ml.settings.segmentation import AudienceSettings, Channel
from ml.spreadsheet_cells import escape_formulas

IS_KNOWN = "is_known"
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
    """Log of who was contacted when: one Parquet file per audience in `folder`.

    Args:
        folder: folder of the log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> pa.Table:
        """Read all contacts with the columns of `CONTACT_SCHEMA`."""
        files = sorted(self.folder.glob("*.parquet"))
        return pa.concat_tables(map(read_checked_table, files)) if files else CONTACT_SCHEMA.empty_table()

    def append(self, audience: Audience, at: dt.datetime) -> Path:
        """Log the contacted and the held-out users of an audience; the file is on disk when this returns."""
        users = pa.concat_arrays([*_to_chunks(audience.table.column(USER_ID)), *_to_chunks(audience.held_out)])
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
        stem = f"{at.astimezone(dt.UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        return write_named_by_content(contacts, make_folder(self.folder), stem)


@dataclass(frozen=True)
class Audience:
    """Users to contact.

    Attributes:
        name: name of the audience.
        table: the users, ready for a mail tool.
        held_out: ids of the users who are held out as a control group.
        left_out: number of users who were left out, by reason.
    """

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
    hours: Sequence[HourSpan | None] | None = None,
    channel: Channel | None = None,
) -> Audience:
    """Select the consenting users who may be contacted now.

    Args:
        name: name of the audience in the log of contacts.
        users: members of the segment: `user_id`, `has_personalization_consent` and, if present, `FIELDS`,
            `segment`, `name`, `is_known`, `sessions_by_local_hour` and the users' own quiet hours
            `quiet_from_hour` and `quiet_until_hour`.
        strategies: strategy for each of them.
        contacts: earlier contacts, `CONTACT_SCHEMA`.
        settings: cap, quiet period between contacts and quiet hours.
        now: the present time.
        exclude_contacted_days: days within which a contact excludes a user, if longer than the quiet period.
        hold_out: share of the users who are logged but not contacted, so that an experiment can measure the effect
            of the contact. It depends on the audience's name and the user alone, so the same users are held out
            each time.
        hours: local hours of sending that each strategy states, None for any hour.
        channel: how people are addressed, by default as in the settings. Mail and push reach only people with a
            user id.

    Returns:
        The audience. Its table has `user_id, audience, channel, strategy, send_after` and the fields. `send_after`
        (UTC) follows `compute_sending_times`.

    Raises:
        InvalidInputError: the consent column is missing, so that nobody may be contacted.
    """
    if CONSENT not in users.column_names:
        raise InvalidInputError(f"column {CONSENT!r} is missing, so it is unknown who may be contacted")
    ids = users.column(USER_ID).cast(pa.string())
    quiet_days = max(settings.quiet_days, exclude_contacted_days or 0.0)
    channel = channel or settings.channel
    sending = compute_sending_times(users, now, settings, hours)
    refused = {
        "no consent": ~mask_consenting(users),
        **_mask_unreachable(users, channel),
        f"contacted within {quiet_days:g} days": _mask_contacted(ids, contacts, now, quiet_days, 1),
        f"contacted {settings.cap_contacts} times within {settings.cap_days:g} days": _mask_contacted(
            ids, contacts, now, settings.cap_days, settings.cap_contacts
        ),
        "quiet hours all day": np.array([moment is None for moment in sending], dtype=bool),
    }
    keep = np.ones(users.num_rows, dtype=bool)
    left_out = {}
    for reason, mask in refused.items():
        left_out[reason] = int((keep & mask).sum())
        keep &= ~mask
    is_held_out = keep & _mask_held_out(name, ids, hold_out)
    keep &= ~is_held_out
    left_out["held out"] = int(is_held_out.sum())
    chosen = users.filter(pa.array(keep))
    columns = {
        USER_ID: chosen.column(USER_ID).cast(pa.string()),
        "audience": pa.repeat(name, chosen.num_rows),
        "channel": pa.repeat(channel, chosen.num_rows),
        "strategy": pa.array([text for text, kept in zip(strategies, keep, strict=True) if kept], pa.string()),
        "send_after": pa.array(sending, pa.timestamp("us", tz="UTC")).filter(pa.array(keep)),
    }
    columns |= {
        field: chosen.column(field) for field in ("segment", "name", *FIELDS) if field in chosen.column_names
    }
    return Audience(name, pa.table(columns), ids.filter(pa.array(is_held_out)), left_out)


def _mask_unreachable(users: pa.Table, channel: Channel) -> dict[str, Bools]:
    """Mark the users (n,) whom the channel does not reach, under the reason; empty where nobody is unreachable."""
    if channel == "on_site" or IS_KNOWN not in users.column_names:
        return {}
    return {f"without a user id, which {channel} needs": ~np.asarray(pc.fill_null(users.column(IS_KNOWN), False))}


def _mask_held_out(name: str, ids: pa.ChunkedArray, share: float) -> Bools:
    """Mark the users (n,) who are held out: those whose hash of audience and user lies below the share."""
    if share <= 0:
        return np.zeros(len(ids), dtype=bool)
    digests = (hashlib.sha256(f"{name}\0{user}".encode()).digest() for user in ids.to_pylist())
    return np.array([int.from_bytes(digest[:8], "big") / 2**64 < share for digest in digests], dtype=bool)


def _mask_contacted(ids: pa.ChunkedArray, contacts: pa.Table, now: dt.datetime, days: float, times: int) -> Bools:
    """Mark the users (n,) who were contacted at least `times` times within `days`."""
    since = pa.scalar(now - dt.timedelta(days=days), CONTACT_SCHEMA.field("contacted_at").type)
    is_contacted = pc.invert(contacts["is_held_out"])
    recent = contacts.filter(pc.and_(is_contacted, pc.greater_equal(contacts["contacted_at"], since)))
    counts = recent.group_by("user_id").aggregate([("audience", "count")])
    excluded = counts.filter(pc.greater_equal(counts["audience_count"], times))["user_id"]
    return np.asarray(pc.is_in(ids, value_set=excluded.combine_chunks()))


def deliver_audience(audience: Audience, file: Path, log: ContactLog, now: dt.datetime) -> None:
    """Log the contact and write the audience as Parquet or CSV, by the file's suffix.

    The contact is logged before the file appears: after a crash in between, people are contacted too rarely rather
    than twice.

    Raises:
        InvalidInputError: the suffix is neither `.csv` nor `.parquet`.
    """
    if file.suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"{file}: the suffix of an audience's file must be .csv or .parquet")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.part")
    if file.suffix == ".csv":
        pyarrow.csv.write_csv(escape_formulas(audience.table), partial)
    else:
        pq.write_table(audience.table, partial)
    log.append(audience, now)
    partial.replace(file)


def _to_chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    """Return the chunks of a column, at least one."""
    return column.chunks or [pa.array([], pa.string())]
