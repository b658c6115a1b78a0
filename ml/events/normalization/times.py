"""Times as senders write them → UTC."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import Any

DIGITS = re.compile(r"[+-]?\d{1,20}(\.\d+)?")
# `2024-01-01 10:00:00 UTC` of BigQuery, `… +00` of PostgreSQL, `… +0000 UTC` of Go, nine digits of a second.
SPELLING = re.compile(
    r"(?P<moment>\d{4}-?\d{2}-?\d{2}(?:[T ]\d{2}:?\d{2}(?::?\d{2})?)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?(?::\d{2})?)?(?:\s+(?:UTC|GMT))?",
    re.I,
)
PLAIN_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?(Z|[+-]\d\d:\d\d)")
# RFC 5322, as in headers of mail and HTTP, and JavaScript's `Mon Jan 01 2024 10:00:00 GMT+0100 (CET)`.
LONG_FORM = re.compile(r"([A-Za-z]{3},? )?(\d{1,2} [A-Za-z]{3}|[A-Za-z]{3} \d{1,2}) \d{4} \d{2}:\d{2}.*")
# `Thu Mar 22 06:45:34 -0800 2012`, as C, Twitter and Goodreads print it: the year comes last.
YEAR_LAST = re.compile(
    r"(?:[A-Za-z]{3} )?(?P<month>[A-Za-z]{3}) {1,2}(?P<day>\d{1,2}) (?P<hours>\d{2}:\d{2}(?::\d{2})?)"
    r"(?: (?P<zone>UTC|GMT|[+-]\d{4}))? (?P<year>\d{4})"
)
DATE_OF_DIGITS = re.compile(r"(19|20)\d{6}")
LARGEST_SECONDS, LARGEST_MS, LARGEST_US = 1e11, 1e14, 1e17


def parse_moment_of(value: Any) -> dt.datetime:
    """Return a time in UTC; one without a zone is in UTC. See `read_moment`.

    Raises:
        ValueError: It is no time.
    """
    moment = read_moment(value)
    try:
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except OverflowError as error:
        raise ValueError(f"{value!r} lies beyond the years 1 to 9999") from error


def read_moment(value: Any) -> dt.datetime:
    """Return a time with the zone that it names, or with none.

    Args:
        value: A datetime; text in ISO 8601, as databases print it, or as RFC 5322 has it; or a number, or its
            digits, since 1970. Seconds, milliseconds, microseconds and nanoseconds are told apart by their size:
            each unit covers the years up to 5138.

    Raises:
        ValueError: It is no time.
    """
    try:
        if isinstance(value, dt.datetime):
            return value
        if isinstance(value, str):
            text = value.strip()
            is_number = DIGITS.fullmatch(text) and not DATE_OF_DIGITS.fullmatch(text)
            return _from_epoch(float(text)) if is_number else _from_text(text)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_epoch(value)
        raise ValueError(f"is a {type(value).__name__}, not a time")
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value!r} is not a time") from error


def _from_epoch(number: float) -> dt.datetime:
    size = abs(number)
    if size < LARGEST_SECONDS:
        per_second = 1
    elif size < LARGEST_MS:
        per_second = 1_000
    else:
        per_second = 1_000_000 if size < LARGEST_US else 1_000_000_000
    return dt.datetime.fromtimestamp(number / per_second, dt.UTC)


def _from_text(text: str) -> dt.datetime:
    if PLAIN_ISO.fullmatch(text):  # nearly all, and many times as fast
        return dt.datetime.fromisoformat(text)
    spelling = SPELLING.fullmatch(text)
    if spelling is not None:
        fraction = f".{spelling['fraction'][:6]:0<6}" if spelling["fraction"] else ""
        zone = spelling["zone"] or ""
        zone = "+00:00" if zone.upper() in ("Z", "UTC", "GMT") else zone
        return dt.datetime.fromisoformat(spelling["moment"] + fraction + zone)
    if LONG_FORM.fullmatch(text):
        return parsedate_to_datetime(re.sub(r"GMT([+-]\d{4}).*", r"\1", text))
    year_last = YEAR_LAST.fullmatch(text)
    if year_last is not None:
        month, day, hours, zone, year = year_last.groups()
        return parsedate_to_datetime(f"{day} {month} {year} {hours} {zone or ''}".rstrip())
    return dt.datetime.fromisoformat(text)
