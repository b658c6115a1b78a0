"""The visitor's situation, from what the request, its headers, the state and the bundle say."""

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

from ml.decisions.rules.dayparts import LocalTime, local_time
from ml.settings.decisions import DaypartSettings
from serving.collector.enrichment.device import NOTHING, device_of, hints_of_headers, looks_like_a_browser
from serving.context.weather import NOWHERE, SurroundingsProvider
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
    """What rules may ask about. Texts are None where nobody knows.

    Attributes:
        given: the texts and numbers of TEXTS and NUMBERS that are known.
        formats: image formats that the browser takes, best first.
    """

    given: Mapping[str, Any]
    local: LocalTime
    formats: tuple[str, ...]
    condition: str | None
    temperature: float | None
    events: tuple[str, ...]

    def text(self, name: str) -> str | None:
        """One of TEXTS."""
        value = self.given.get(name)
        return value if isinstance(value, str) else None


def headers_of(request: Request) -> dict[str, Any]:
    """What the request's headers tell: device, language, network, image formats."""
    headers = request.headers
    found: dict[str, Any] = {}
    agent = headers.get("user-agent")
    hints = hints_of_headers(
        headers.get("sec-ch-ua"), headers.get("sec-ch-ua-mobile"), headers.get("sec-ch-ua-platform")
    )
    if looks_like_a_browser(agent) or hints != NOTHING:  # a server that asks for somebody is not their device
        device = device_of(agent, hints)
        found.update({"device_type": device.device_type, "os": device.os, "browser": device.browser})
    found["language"] = headers.get("accept-language", "").split(",")[0].split(";")[0].strip() or None
    found["network_type"] = headers.get("ect")
    accepted = headers.get("accept", "")
    found["formats"] = tuple(kind.removeprefix("image/") for kind in IMAGE_FORMATS if kind in accepted)
    return {name: value for name, value in found.items() if value is not None}


def checked_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """The request's own context.

    Raises:
        ApiError: 422, a field has a wrong type; unknown fields are left alone, sites send more than rules ask.
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
    """What people pay with in a country, ISO 4217; None where nobody says which country."""
    tenders = get_territory_currencies(country) if country in COUNTRIES else []
    return tenders[0] if tenders else None


def situation(
    at: dt.datetime,
    sources: tuple[Mapping[str, Any], ...],
    dayparts: DaypartSettings,
    surroundings: SurroundingsProvider | None,
) -> Situation:
    """Join what is known; the first source that knows a field counts.

    Args:
        sources: the request's context, its headers, the running visit, the bundle's user: in order of trust.
    """
    given: dict[str, Any] = {}
    for source in reversed(sources):
        given.update({name: source[name] for name in (*TEXTS, *NUMBERS) if source.get(name) is not None})
    country = given.get("country")
    if "currency" not in given and (currency := _currency_of(country)) is not None:
        given["currency"] = currency
    around = surroundings.at(country, given.get("region"), given.get("city"), at) if surroundings else NOWHERE
    formats = next((tuple(source["formats"]) for source in sources if source.get("formats")), ())
    return Situation(
        given,
        local_time(at, given.get("timezone"), country, dayparts),
        formats,
        around.condition,
        around.temperature,
        around.events,
    )
