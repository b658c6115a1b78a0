"""Places, devices and channels of the visitors of the simulated site."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A city: ISO 3166 codes, IANA time zone, BCP 47 language of its browsers, and share of the visitors."""

    country: str
    region: str
    city: str
    timezone: str
    language: str
    share: float


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device; screen in CSS px; `share` is among the devices of its type."""

    type: str
    os: str
    browser: str
    width: int
    height: int
    share: float


PLACES: tuple[Place, ...] = (
    Place("US", "US-NY", "New York", "America/New_York", "en-US", 0.16),
    Place("US", "US-TX", "Austin", "America/Chicago", "en-US", 0.09),
    Place("US", "US-CA", "Los Angeles", "America/Los_Angeles", "en-US", 0.12),
    Place("CA", "CA-ON", "Toronto", "America/Toronto", "en-CA", 0.06),
    Place("MX", "MX-CMX", "Mexico City", "America/Mexico_City", "es-MX", 0.06),
    Place("BR", "BR-SP", "São Paulo", "America/Sao_Paulo", "pt-BR", 0.05),
    Place("GB", "GB-LND", "London", "Europe/London", "en-GB", 0.14),
    Place("IE", "IE-D", "Dublin", "Europe/Dublin", "en-IE", 0.03),
    Place("DE", "DE-BE", "Berlin", "Europe/Berlin", "de-DE", 0.08),
    Place("AT", "AT-9", "Vienna", "Europe/Vienna", "de-AT", 0.03),
    Place("ES", "ES-MD", "Madrid", "Europe/Madrid", "es-ES", 0.06),
    Place("IN", "IN-MH", "Mumbai", "Asia/Kolkata", "en-IN", 0.06),
    Place("JP", "JP-13", "Tokyo", "Asia/Tokyo", "ja-JP", 0.02),
    Place("AU", "AU-NSW", "Sydney", "Australia/Sydney", "en-AU", 0.04),
)

DEVICE_TYPES: tuple[str, ...] = ("mobile", "desktop", "tablet", "tv", "bot")

DEVICES: tuple[DeviceKind, ...] = (
    DeviceKind("mobile", "iOS", "Mobile Safari", 390, 844, 0.40),
    DeviceKind("mobile", "Android", "Chrome Mobile", 412, 915, 0.45),
    DeviceKind("mobile", "Android", "Samsung Internet", 360, 800, 0.15),
    DeviceKind("desktop", "Windows", "Chrome", 1920, 1080, 0.45),
    DeviceKind("desktop", "Windows", "Edge", 1536, 864, 0.20),
    DeviceKind("desktop", "Mac OS X", "Safari", 1440, 900, 0.22),
    DeviceKind("desktop", "Linux", "Firefox", 1920, 1200, 0.13),
    DeviceKind("tablet", "iOS", "Safari", 820, 1180, 0.70),
    DeviceKind("tablet", "Android", "Chrome", 800, 1280, 0.30),
    DeviceKind("tv", "Tizen", "Samsung Internet", 1920, 1080, 0.60),
    DeviceKind("tv", "Android", "Chrome", 1920, 1080, 0.40),
    DeviceKind("bot", "Other", "Googlebot", 1024, 768, 1.00),
)

CHANNELS: tuple[str, ...] = ("direct", "search", "social", "email", "referral", "paid")
REFERRERS: tuple[str | None, ...] = (
    None,
    "https://www.google.com/",
    "https://www.facebook.com/",
    None,
    "https://blog.example.org/",
    "https://www.google.com/",
)
CAMPAIGNS: tuple[str, ...] = (
    "",
    "",
    "?utm_source=facebook&utm_medium=social&utm_campaign=always_on",
    "?utm_source=newsletter&utm_medium=email&utm_campaign=weekly",
    "",
    "?utm_source=google&utm_medium=cpc&utm_campaign=brand",
)
SITE = "https://www.tessera.example"
