"""The visitor's local time: hour, part of the day, weekday and season."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ml.local_clock import find_zone, hour_of
from ml.settings.decisions import DaypartSettings

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEASONS = ("winter", "spring", "summer", "autumn")
SOUTHERN = frozenset([
    "AO", "AR", "AU", "BO", "BR", "BW", "CL", "FJ", "KM", "LS", "MG", "MU", "MW", "MZ", "NA", "NC", "NZ", "PE",
    "PF", "PG", "PY", "RE", "SB", "SZ", "TO", "UY", "VU", "WS", "ZA", "ZM", "ZW",
])  # fmt: skip
"""Countries of the southern hemisphere, ISO 3166-1 alpha-2."""


@dataclass(frozen=True)
class LocalTime:
    """A moment by the visitor's clock; `hour` is 0 … 24 with the minutes as its fraction."""

    moment: dt.datetime
    hour: float
    daypart: str
    weekday: str
    is_weekend: bool
    season: str


def convert_to_local(
    at: dt.datetime, timezone: str | None, country: str | None, dayparts: DaypartSettings
) -> LocalTime:
    """Convert a moment to the visitor's clock and calendar.

    Args:
        at: The moment, aware.
        timezone: IANA name; None counts as UTC.
        country: ISO 3166-1 alpha-2 code, which decides the hemisphere of the season.
        dayparts: First hour of each part of the day.
    """
    moment = at.astimezone(find_zone(timezone))
    hour = hour_of(moment)
    weekday = moment.weekday()
    return LocalTime(
        moment,
        hour,
        name_daypart(hour, dayparts),
        WEEKDAYS[weekday],
        weekday >= 5,
        name_season(moment.month, country),
    )


def name_daypart(hour: float, dayparts: DaypartSettings) -> str:
    """Return the name of the part of the day that an hour belongs to.

    >>> name_daypart(8.5, DaypartSettings(morning=5, midday=11, afternoon=14, evening=18, night=23))
    'morning'
    """
    starts = sorted((start, name) for name, start in dayparts.model_dump().items())
    current = starts[-1][1]  # before the first start of the day the last part of yesterday goes on
    for start, name in starts:
        if hour >= start:
            current = name
    return current


def name_season(month: int, country: str | None) -> str:
    """Return the meteorological season of a month (1 … 12) in a country."""
    quarter = month % 12 // 3
    return SEASONS[(quarter + 2) % 4] if country in SOUTHERN else SEASONS[quarter]
