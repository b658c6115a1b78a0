"""Contact the members of a segment: write an audience file and log the contact."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.errors import InvalidInputError
from ml.home import Home
from ml.segmentation.audiences.audiences import Audience, ContactLog, build_audience, deliver_audience
from ml.segmentation.audiences.membership import select_members
from ml.segmentation.audiences.rules import load_site_rules
from ml.segmentation.consent import CONSENT, mask_consenting
from ml.settings.segmentation import Channel, SegmentationSettings


class SmallSegmentError(InvalidInputError):
    """A segment has so few members that its audience would single somebody out."""


@dataclass(frozen=True)
class ContactResult:
    """The outcome of a contact.

    Attributes:
        audience: the users who were written and those who were left out.
        minimum_size: the number of people about whom a count may be told.
    """

    audience: Audience
    minimum_size: int

    def describe_left_out(self) -> Iterator[str]:
        """Yield how many users were left out, by reason, and of fewer than the minimum only that it is so."""
        for reason, count in self.audience.left_out.items():
            if count >= self.minimum_size:
                yield f"{count:,} ({reason})"
            elif count:
                yield f"fewer than {self.minimum_size} ({reason})"


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
    channel: Channel | None = None,
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
        channel: how people are addressed, by default as in the settings.

    Raises:
        UnknownSegmentError: no segment has this name.
        SegmentRuleError: the file of rules is not usable.
        SmallSegmentError: fewer members consent than `minimum_segment_size`. None and one are answered alike: a
            condition that names a single person would else say whether the person meets it.
        InvalidInputError: the suffix of the file is not supported.
    """
    log = ContactLog(home.contacts)
    members = select_members(segment, users, segments, load_site_rules(home, settings.rules_file))
    least = settings.minimum_segment_size
    if _count_consenting(members.users) < least:
        raise SmallSegmentError(
            f"{segment!r} has fewer than {least} members who consent; nobody may be singled out, so nothing is"
            " written about so few (segmentation.minimum_segment_size)"
        )
    audience = build_audience(
        name,
        members.users,
        members.strategies,
        contacts=log.read(),
        settings=settings.audiences,
        now=now,
        exclude_contacted_days=exclude_contacted_days,
        hold_out=hold_out,
        hours=members.hours,
        channel=channel,
    )
    deliver_audience(audience, file, log, now)
    return ContactResult(audience, least)


def _count_consenting(users: pa.Table) -> int:
    """Count the users who consent to personalization; all of them where the table does not say."""
    if CONSENT not in users.column_names:
        return int(users.num_rows)
    return int(np.count_nonzero(mask_consenting(users)))
