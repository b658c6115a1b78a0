"""From a segment to a file of people who may be contacted, and the log of it: one way for all who contact."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml.home import Home
from ml.segmentation.audiences.audiences import Audience, ContactLog, build_audience, deliver_audience
from ml.segmentation.audiences.membership import select_members
from ml.segmentation.audiences.rules import rules_of
from ml.settings.segmentation import SegmentationSettings


@dataclass(frozen=True)
class ContactResult:
    """What was written; `n_members` are the people of the segment, whether or not they may be contacted."""

    audience: Audience
    n_members: int


def contact_segment(
    name: str,
    segment: str,
    file: Path,
    *,
    home: Home,
    users: pa.Table,
    segments: pa.Table | None,
    settings: SegmentationSettings,
    now: dt.datetime,
    exclude_contacted_days: float | None,
    hold_out: float,
) -> ContactResult:
    """Write those of a segment who may be contacted, and log the contact.

    Args:
        name: of the campaign, in the log of contacts.
        segment: number or name of a learned segment, name of a rule, or an expression.
        file: .csv or .parquet.
        users: mart `users` with what people prefer; segments: `user_segments`, None before there are any.

    Raises:
        UnknownSegmentError: nothing is called like this.
        RuleError: the file of rules is wrong.
        ValueError: the file's suffix.
    """
    log = ContactLog(home.contacts)
    members = select_members(segment, users, segments, rules_of(home, settings.rules_file))
    audience = build_audience(
        name,
        members.users,
        members.strategies,
        contacts=log.read(),
        settings=settings.audiences,
        now=now,
        exclude_contacted_days=exclude_contacted_days,
        hold_out=hold_out,
    )
    deliver_audience(audience, file, log, now)
    return ContactResult(audience, members.users.num_rows)
