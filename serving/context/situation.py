"""The visitor's situation as the request, its headers, the online state and the bundle describe it."""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale
from babel.numbers import get_territory_currencies
from starlette.requests import Request

from ml.decisions.rules.dayparts import LocalTime, convert_to_local
from ml.events.normalization.user_agents import NO_HINTS, detect_device, is_browser_agent, read_client_hints
from ml.settings.decisions import DaypartSettings
from serving.admission.header_values import header_values
from serving.collector.enrichment.geolocation import locate_coordinates
from serving.collector.privacy.device_context import coarsen_device_context
from serving.collector.request_metadata import MAX_HEADER_CHARS
from serving.context.weather import NO_SURROUNDINGS, SurroundingsProvider
from serving.errors import ApiError

TEXTS = (
    "device_type", "os", "browser", "network_type", "country", "region", "city", "language", "currency",
    "timezone", "channel", "page_url", "referrer", "orientation", "battery", "motion",
)  # fmt: skip
NUMBERS = ("screen_width", "screen_height", "latitude", "longitude")
READINGS = ("battery_level", "acceleration")
"""Numbers of sensors, of which a situation keeps the words of `coarsen_device_context`."""
LATITUDES, LONGITUDES = (-90.0, 90.0), (-180.0, 180.0)
COUNTRIES = Locale("en").territories  # English names by ISO 3166-1 code
IMAGE_FORMATS = ("image/avif", "image/webp")


@dataclass(frozen=True)
class Situation:
    """What rules may ask about.

    Attributes:
        facts: The texts and numbers of TEXTS and NUMBERS that are available.
        local: The visitor's local time.
        languages: BCP 47 tags of the languages that the person reads, as the first source says that has some.
        formats: Image formats that the browser accepts, best first.
        condition: Weather condition; None if unknown.
        temperature: °C; None if unknown.
        events: Local events.
    """

    facts: Mapping[str, Any]
    local: LocalTime
    formats: tuple[str, ...]
    condition: str | None
    temperature: float | None
    events: tuple[str, ...]
    languages: tuple[str, ...] = ()

    def text(self, name: str) -> str | None:
        """Return one of TEXTS, or None if it is not available."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else None


def read_headers(request: Request) -> dict[str, Any]:
    """Read device, language, network and image formats from the headers of a request."""
    headers = header_values(request)
    facts: dict[str, Any] = {}
    agent = headers.get("user-agent")
    hints = read_client_hints(
        headers.get("sec-ch-ua"), headers.get("sec-ch-ua-mobile"), headers.get("sec-ch-ua-platform")
    )
    if is_browser_agent(agent) or hints != NO_HINTS:  # a server that asks for somebody is not their device
        device = detect_device(agent, hints)
        facts.update({"device_type": device.device_type, "os": device.os, "browser": device.browser})
    facts["languages"] = read_languages(headers.get("accept-language", ""))
    facts["language"] = next(iter(facts["languages"]), None)
    facts["network_type"] = headers.get("ect")
    accepted = headers.get("accept", "")
    facts["formats"] = tuple(kind.removeprefix("image/") for kind in IMAGE_FORMATS if kind in accepted)
    return {name: value for name, value in facts.items() if value is not None}


def read_languages(accepted: str) -> tuple[str, ...]:
    """Return the languages of an `Accept-Language` header, the preferred first; those with quality 0 are left out.

    >>> read_languages("en;q=0.7, de-DE, de;q=0.9, *;q=0.1, fr;q=0")
    ('de-DE', 'de', 'en')
    """
    qualities: dict[str, float] = {}
    for part in accepted[:MAX_HEADER_CHARS].split(","):
        tag, _, parameter = part.partition(";")
        try:
            quality = float(parameter.partition("=")[2]) if parameter.strip() else 1.0
        except ValueError:
            quality = 0.0
        if tag.strip() not in ("", "*") and quality > 0:
            qualities.setdefault(tag.strip(), quality)
    return tuple(sorted(qualities, key=lambda tag: -qualities[tag]))


def check_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context that a request sent, without its nulls, readings of sensors as words.

    Unknown fields are left alone, because sites send more than rules ask about.

    Raises:
        ApiError: 422, a field has a wrong type.
    """
    context = {**context, **_describe_sensors(context)}
    for names, kind, words in ((TEXTS, str, "text"), ((*NUMBERS, *READINGS), (int, float), "a number")):
        for name in names:
            value = context.get(name)
            is_endless = isinstance(value, float) and not math.isfinite(value)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool) or is_endless):
                raise ApiError(422, f"{name} is {str(value)[:40]!r}, not {words}", f"context.{name}")
    return {name: value for name, value in context.items() if value is not None}


def place_coordinates(context: Mapping[str, Any], decimals: int) -> dict[str, Any]:
    """Return what coordinates of a checked context say of the place: country and time zone, if it has none itself.

    Args:
        context: The context.
        decimals: To which the coordinates are rounded first.

    Raises:
        ApiError: 422, the coordinates are none, or one of the two is missing.
    """
    given = {name: context[name] for name in ("latitude", "longitude") if name in context}
    if not given:
        return {}
    for name, (lowest, highest) in {"latitude": LATITUDES, "longitude": LONGITUDES}.items():
        if name not in given:
            raise ApiError(422, f"{name} is missing: coordinates have two numbers", f"context.{name}")
        if not lowest <= given[name] <= highest:
            limits = f"from {lowest:g} to {highest:g}"
            raise ApiError(422, f"{name} is {given[name]}, not a number {limits}", f"context.{name}")
    place = locate_coordinates(float(given["latitude"]), float(given["longitude"]), decimals)
    return {name: place[name] for name in ("country", "timezone") if name in place}


def _describe_sensors(context: Mapping[str, Any]) -> dict[str, str]:
    """Return orientation, battery and motion as words, from readings at the top or in `device_context`."""
    nested = context.get("device_context")
    readings = {**(nested if isinstance(nested, dict) else {}), **context}
    words = {name: nested[name] for name in ("battery", "motion") if isinstance(nested, dict) and name in nested}
    return {**words, **coarsen_device_context(readings)}


@functools.lru_cache(maxsize=512)
def _currency_of(country: str | None) -> str | None:
    """Return the currency of a country, ISO 4217; None if the country is unknown."""
    tenders = get_territory_currencies(country) if country is not None and country in COUNTRIES else []
    return tenders[0] if tenders else None


def merge_situation(
    at: dt.datetime,
    sources: tuple[Mapping[str, Any], ...],
    dayparts: DaypartSettings,
    surroundings: SurroundingsProvider | None,
) -> Situation:
    """Merge what the sources say; the first source that has a field counts.

    Args:
        at: Time of the request, aware.
        sources: The request's context, its headers, the visitor's last events and the bundle's user, in order of
            trust.
        dayparts: First hour of each part of the day.
        surroundings: Weather and local events; None without a provider.
    """
    facts: dict[str, Any] = {}
    for source in reversed(sources):
        facts.update({name: source[name] for name in (*TEXTS, *NUMBERS) if source.get(name) is not None})
    country = facts.get("country")
    if "currency" not in facts and (currency := _currency_of(country)) is not None:
        facts["currency"] = currency
    place = (country, facts.get("region"), facts.get("city"))
    weather = surroundings.at(*place, at) if surroundings else NO_SURROUNDINGS
    return Situation(
        facts,
        convert_to_local(at, facts.get("timezone"), country, dayparts),
        next((tuple(source["formats"]) for source in sources if source.get("formats")), ()),
        weather.condition,
        weather.temperature,
        weather.events,
        _languages_of(sources),
    )


def _languages_of(sources: tuple[Mapping[str, Any], ...]) -> tuple[str, ...]:
    """Return the languages of the first source that has some."""
    for source in sources:
        if source.get("languages"):
            return tuple(source["languages"])
        if source.get("language"):
            return (source["language"],)
    return ()
