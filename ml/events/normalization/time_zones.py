"""Time zones as senders write them → IANA names."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from babel.core import get_global

from ml.events.normalization.short_text_cache import cache_short_texts

# Names of the database that say something about the machine and nothing about a place.
NOT_A_ZONE = frozenset({"factory", "localtime", "posixrules"})


@cache_short_texts(4_096)
def normalize_time_zone(text: str) -> str | None:
    """Return the IANA name of a time zone; None for what names none, such as `undefined`, `local` or `+02:00`.

    Percent-encoded names, other cases of the letters, blanks in place of `_`, and the names of Windows are read.
    An offset names no zone: it says nothing about the other half of the year.
    """
    plain = unquote(text).strip().strip("\"'")
    name = _iana_names().get(plain.replace(" ", "_").lower())
    return name if name is not None else _windows_names().get(" ".join(plain.replace("+", " ").lower().split()))


@lru_cache(maxsize=1)
def _iana_names() -> Mapping[str, str]:
    return {
        name.lower(): name for name in sorted(zoneinfo.available_timezones()) if name.lower() not in NOT_A_ZONE
    }


@lru_cache(maxsize=1)
def _windows_names() -> Mapping[str, str]:
    """Windows' names in lower case → IANA names, from the Unicode CLDR."""
    return {name.lower(): zone for name, zone in get_global("windows_zone_mapping").items()}
