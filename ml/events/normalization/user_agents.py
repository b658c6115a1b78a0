"""User agent and client hints → device type, operating system, browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ua_parser

from ml.events.normalization.short_text_cache import cache_short_texts

CACHED_AGENTS = 20_000
MAX_AGENT_CHARS = 1_024
DESKTOPS = frozenset(
    {"Windows", "Mac OS X", "macOS", "Linux", "Ubuntu", "Debian", "Fedora", "Chrome OS", "FreeBSD"}
)
BOT = re.compile(r"bot\b|crawler|spider|headlesschrome|lighthouse|pingdom|slurp|python-requests|curl/|wget/", re.I)
TV = re.compile(r"\bTV\b|SmartTV|SMART-TV|HbbTV|AppleTV|CrKey|Roku|BRAVIA|AFT[A-Z]|GoogleTV", re.I)
TABLET = re.compile(r"iPad|Tablet|Kindle|Silk/|PlayBook", re.I)
MOBILE = re.compile(r"Mobi|iPhone|iPod|Windows Phone|BlackBerry|Opera Mini", re.I)
# What client hints call them and what user agents call them, as one word each.
PLATFORMS = {"macOS": "Mac OS X", "Chromium OS": "Chrome OS", "Chrome OS": "Chrome OS"}
BRANDS = {
    "Google Chrome": "Chrome",
    "Microsoft Edge": "Edge",
    "Chromium": "Chromium",
    "Opera": "Opera",
    "Brave": "Brave",
}


@dataclass(frozen=True)
class ClientHints:
    """Client hints: `Sec-CH-UA`, `-Mobile` and `-Platform` headers, or what a tracker read in JavaScript."""

    brands: tuple[str, ...] = ()
    mobile: bool | None = None
    platform: str | None = None


@dataclass(frozen=True)
class Device:
    """What is known of the device; None where neither source tells."""

    device_type: str | None = None
    os: str | None = None
    browser: str | None = None

    @cached_property
    def facts(self) -> Mapping[str, str]:
        """What is known, by the name of its field."""
        fields = {"device_type": self.device_type, "os": self.os, "browser": self.browser}
        return {name: value for name, value in fields.items() if value}


NO_HINTS = ClientHints()


@cache_short_texts(CACHED_AGENTS)
def detect_device(agent: str | None, hints: ClientHints = NO_HINTS) -> Device:
    """The device behind a user agent and client hints. ClientHints win: browsers freeze what the agent says."""
    if not agent and hints == NO_HINTS:
        return Device()
    text = (agent or "")[:MAX_AGENT_CHARS]
    parsed = ua_parser.parse(text)
    system = parsed.os.family if parsed.os else None
    browser = parsed.user_agent.family if parsed.user_agent else None
    if hints.platform and hints.platform not in ("Unknown", ""):
        system = PLATFORMS.get(hints.platform, hints.platform)
    browsers = [BRANDS[brand] for brand in hints.brands if brand in BRANDS]
    if browsers:
        browser = min(browsers, key=lambda name: name == "Chromium")
    family = parsed.device.family if parsed.device else None
    return Device(_device_type(text, system, family, hints.mobile), system, browser)


def read_client_hints(brands: str | None, mobile: str | None, platform: str | None) -> ClientHints:
    """Client hints from their three headers."""
    if brands is None and mobile is None and platform is None:
        return NO_HINTS
    names = tuple(name for name in re.findall(r'"([^"]{1,60})";v=', (brands or "")[:400]) if "Not" not in name)
    flag = {"?1": True, "?0": False}.get(mobile or "")
    return ClientHints(names, flag, (platform or "").strip().strip('"')[:40] or None)


def parse_client_hints(value: Any) -> ClientHints | None:
    """Parse client hints in the form of JavaScript's `userAgentData`: brands, isMobile or mobile, platform."""
    if not isinstance(value, dict):
        return None
    brands = value.get("brands")
    names = [entry.get("brand") for entry in brands if isinstance(entry, dict)] if isinstance(brands, list) else []
    platform = value.get("platform")
    mobile = value.get("isMobile", value.get("mobile"))
    return ClientHints(
        tuple(name for name in names if isinstance(name, str) and "Not" not in name)[:8],
        mobile if isinstance(mobile, bool) else None,
        platform if isinstance(platform, str) else None,
    )


def is_browser_agent(agent: str | None) -> bool:
    """Whether a person's browser sent the request, rather than a server's library."""
    return bool(agent) and str(agent).startswith(("Mozilla/", "Opera/"))


def _device_type(agent: str, system: str | None, family: str | None, mobile: bool | None) -> str | None:
    if family == "Spider" or BOT.search(agent):
        return "bot"
    if TV.search(agent):
        return "tv"
    if TABLET.search(agent) or (system == "Android" and agent and not MOBILE.search(agent)):
        return "tablet"
    if mobile or MOBILE.search(agent):
        return "mobile"
    if mobile is False or system in DESKTOPS:
        return "desktop"
    return "other" if agent else None
