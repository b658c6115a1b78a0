"""Options whose text is a moment or a JSON object; what cannot be read is a usage error."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import typer


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
