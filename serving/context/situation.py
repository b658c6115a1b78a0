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
from ml.settings.decisions import DaypartSettings
from serving.collector.enrichment.device import NO_HINTS, detect_device, is_browser_agent, read_client_hints
from serving.context.weather import NO_SURROUNDINGS, SurroundingsProvider
from serving.errors import ApiError

TEXTS = (
    "device_type", "os", "browser", "network_type", "country", "region", "city", "language", "currency",
    "timezone", "channel", "page_url", "referrer",
)  # fmt: skip
NUMBERS = ("screen_width", "screen_height", "latitude", "longitude")
COUNTRIES = Locale("en").territories  # English names by ISO 3166-1 code
IMAGE_FORMATS = ("image/avif", "image/webp")


@dataclass(frozen=True)
class Situation:
    """What rules may ask about.

    Attributes:
        facts: The texts and numbers of TEXTS and NUMBERS that are available.
        local: The visitor's local time.
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

    def text(self, name: str) -> str | None:
        """Return one of TEXTS, or None if it is not available."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else None


def read_headers(request: Request) -> dict[str, Any]:
    """Read device, language, network and image formats from the headers of a request."""
    headers = request.headers
    facts: dict[str, Any] = {}
    agent = headers.get("user-agent")
    hints = read_client_hints(
        headers.get("sec-ch-ua"), headers.get("sec-ch-ua-mobile"), headers.get("sec-ch-ua-platform")
    )
    if is_browser_agent(agent) or hints != NO_HINTS:  # a server that asks for somebody is not their device
        device = detect_device(agent, hints)
        facts.update({"device_type": device.device_type, "os": device.os, "browser": device.browser})
    facts["language"] = headers.get("accept-language", "").split(",")[0].split(";")[0].strip() or None
    facts["network_type"] = headers.get("ect")
    accepted = headers.get("accept", "")
    facts["formats"] = tuple(kind.removeprefix("image/") for kind in IMAGE_FORMATS if kind in accepted)
    return {name: value for name, value in facts.items() if value is not None}


def check_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context that a request sent, without its nulls.

    Unknown fields are left alone, because sites send more than rules ask about.

    Raises:
        ApiError: 422, a field has a wrong type.
    """
    for names, kind, words in ((TEXTS, str, "text"), (NUMBERS, (int, float), "a number")):
        for name in names:
            value = context.get(name)
            is_endless = isinstance(value, float) and not math.isfinite(value)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool) or is_endless):
                raise ApiError(422, f"{name} is {str(value)[:40]!r}, not {words}", f"context.{name}")
    return {name: value for name, value in context.items() if value is not None}


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
    )
