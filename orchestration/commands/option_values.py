"""Options whose text is a moment, a duration or a JSON object; what cannot be read is a usage error."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import typer

_DURATION = re.compile(r"(?P<count>[1-9]\d{0,5})(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = dt.timedelta(days=36_500)


def parse_moment(text: str) -> dt.datetime:
    """A moment in ISO 8601, such as 2017-10-16 or 2017-10-16T09:00:00Z; UTC if it names no zone.

    Raises:
        BadParameter: the text is no moment.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time; write it as 2017-10-16 or 2017-10-16T09:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def parse_duration(text: str) -> dt.timedelta:
    """A duration such as 90d: a number and m, h, d or w for minutes, hours, days or weeks.

    Raises:
        BadParameter: the text is no duration, or one of more than a century.
    """
    match = _DURATION.fullmatch(text)
    duration = dt.timedelta(**{_UNITS[match["unit"]]: int(match["count"])}) if match else None
    if duration is None or duration > _LONGEST:
        raise typer.BadParameter(f"{text!r} is not a duration; write it as 30m, 12h, 90d or 4w")
    return duration


def parse_json_object(text: str) -> dict[str, Any]:
    """A JSON object, such as {"country": "DE"}.

    Raises:
        BadParameter: the text is no JSON, or JSON of another kind.
    """
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f'{text!r} is not JSON: {error}; write it as {{"country": "DE"}}') from None
    if not isinstance(parsed, dict):
        raise typer.BadParameter(f'{text!r} is not a JSON object; write it as {{"country": "DE"}}')
    return parsed
