"""What senders call devices, networks and screens → the words and numbers of the event contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ml.events.contract import DEVICE_TYPES, NETWORK_TYPES
from ml.events.normalization.short_text_cache import cache_short_texts
from ml.events.normalization.user_agents import detect_device

MAX_SCREEN_PX = 100_000  # no screen is wider; a larger number is something else
DEVICE_WORDS: Mapping[str, str] = {
    **{name: name for name in DEVICE_TYPES},
    "android": "mobile", "cell phone": "mobile", "cellphone": "mobile", "featurephone": "mobile", "ios": "mobile",
    "iphone": "mobile", "mobile device": "mobile", "mobile phone": "mobile", "phone": "mobile",
    "smartphone": "mobile", "ipad": "tablet", "phablet": "mobile", "android tablet": "tablet",
    "computer": "desktop", "laptop": "desktop", "mac": "desktop", "pc": "desktop", "personal computer": "desktop",
    "handy": "mobile", "mobil": "mobile", "mobiltelefon": "mobile", "móvil": "mobile", "movil": "mobile",
    "telefon": "mobile", "tableta": "tablet", "tablette": "tablet",
    "ordenador": "desktop", "ordinateur": "desktop", "rechner": "desktop",
    "connected tv": "tv", "ctv": "tv", "smart tv": "tv", "smarttv": "tv", "television": "tv", "set top box": "tv",
    "crawler": "bot", "robot": "bot", "spider": "bot",
    "console": "other", "car": "other", "embedded": "other", "wearable": "other", "watch": "other", "xr": "other",
}  # fmt: skip
USER_AGENT = re.compile(r"\s*[A-Za-z][\w.!-]*/\d")  # a product and its version, as every user agent begins
UNNAMED = "Other"
NETWORK_WORDS: Mapping[str, str] = {
    **{name: name for name in NETWORK_TYPES},
    "gprs": "2g", "edge": "2g", "gsm": "2g", "umts": "3g", "hspa": "3g", "hspa+": "3g", "hsdpa": "3g",
    "cdma": "3g", "evdo": "3g", "lte": "4g", "lte-a": "4g", "5g": "4g", "nr": "4g",
}  # fmt: skip


@cache_short_texts(4_096)
def normalize_device_type(text: str) -> str | None:
    """Return one of DEVICE_TYPES, also for a user agent; None for a word that says no type."""
    if USER_AGENT.match(text):
        return detect_device(text.strip()).device_type
    return DEVICE_WORDS.get(" ".join(text.lower().replace("-", " ").replace("_", " ").split()))


def normalize_os(text: str) -> str:
    """Return the operating system that a user agent names, UNNAMED if none; other texts as they are."""
    return (detect_device(text.strip()).os or UNNAMED) if USER_AGENT.match(text) else text


def normalize_browser(text: str) -> str:
    """Return the browser that a user agent names, UNNAMED if none; other texts as they are."""
    return (detect_device(text.strip()).browser or UNNAMED) if USER_AGENT.match(text) else text


@cache_short_texts(4_096)
def normalize_network_type(text: str) -> str | None:
    """Return one of NETWORK_TYPES, of which `4g` stands for all that is as fast or faster."""
    return NETWORK_WORDS.get(text.strip().lower())


def normalize_pixels(value: Any) -> int | None:
    """Return a whole number of CSS px from a number or its text; None for what no screen can have."""
    if isinstance(value, str):
        try:
            value = float(value.strip().lower().removesuffix("px"))
        except ValueError:
            return None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 < value < MAX_SCREEN_PX else None
