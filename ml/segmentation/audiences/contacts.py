"""Contact the members of a segment: write an audience file and log the contact."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml.home import Home
from ml.segmentation.audiences.audiences import Audience, ContactLog, build_audience, deliver_audience
from ml.segmentation.audiences.membership import select_members
from ml.segmentation.audiences.rules import load_site_rules
from ml.settings.segmentation import SegmentationSettings


@dataclass(frozen=True)
class ContactResult:
    """The outcome of a contact.

    Attributes:
        audience: the users who were written and those who were left out.
        n_members: members of the segment, whether or not they may be contacted.
    """

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
    """Write the members of a segment who may be contacted, and log the contact.

    Args:
        name: name of the campaign in the log of contacts.
        segment: number or name of a learned segment, name of a rule segment, or an expression.
        file: file to write, `.csv` or `.parquet`.
        home: the Tessera home.
        users: the mart `users` with the users' preferences.
        segments: the table `user_segments`, None before there is one.
        settings: the section `segmentation` of the settings.
        now: the present time.
        exclude_contacted_days: days within which a contact excludes a user, if longer than the quiet period.
        hold_out: share of the users who are logged but not contacted.

    Raises:
        UnknownSegmentError: no segment has this name.
        SegmentRuleError: the file of rules is not usable.
        InvalidInputError: the suffix of the file is not supported.
    """
    log = ContactLog(home.contacts)
    members = select_members(segment, users, segments, load_site_rules(home, settings.rules_file))
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
