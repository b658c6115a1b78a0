"""The visitor's own time: hour, part of the day, weekday and season."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ml.local_clock import hour_of, zone
from ml.settings.decisions import DaypartSettings

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEASONS = ("winter", "spring", "summer", "autumn")
SOUTHERN = frozenset(
    [
        "AO",
        "AR",
        "AU",
        "BO",
        "BR",
        "BW",
        "CL",
        "FJ",
        "KM",
        "LS",
        "MG",
        "MU",
        "MW",
        "MZ",
        "NA",
        "NC",
        "NZ",
        "PE",
        "PF",
        "PG",
        "PY",
        "RE",
        "SB",
        "SZ",
        "TO",
        "UY",
        "VU",
        "WS",
        "ZA",
        "ZM",
        "ZW",
    ]
)


@dataclass(frozen=True)
class LocalTime:
    """A moment as the visitor's clock shows it; `hour` is 0 … 24 with minutes as its fraction."""

    moment: dt.datetime
    hour: float
    daypart: str
    weekday: str
    is_weekend: bool
    season: str


def local_time(at: dt.datetime, timezone: str | None, country: str | None, dayparts: DaypartSettings) -> LocalTime:
    """What the visitor's clock and calendar say.

    Args:
        at: the moment, aware.
        timezone: IANA name; UTC where unknown.
        country: ISO 3166-1 alpha-2 code, which turns the seasons round in the south.
    """
    moment = at.astimezone(zone(timezone))
    hour = hour_of(moment)
    weekday = moment.weekday()
    return LocalTime(
        moment, hour, daypart(hour, dayparts), WEEKDAYS[weekday], weekday >= 5, season(moment.month, country)
    )


def daypart(hour: float, dayparts: DaypartSettings) -> str:
    """Name of the part of the day that an hour belongs to.

    >>> daypart(8.5, DaypartSettings(morning=5, midday=11, afternoon=14, evening=18, night=23))
    'morning'
    """
    starts = sorted((start, name) for name, start in dayparts.model_dump().items())
    found = starts[-1][1]  # before the first start of the day it is still the last one of yesterday
    for start, name in starts:
        if hour >= start:
            found = name
    return found


def season(month: int, country: str | None) -> str:
    """Meteorological season of a month (1 … 12) in a country."""
    place = month % 12 // 3
    return SEASONS[(place + 2) % 4] if country in SOUTHERN else SEASONS[place]
