"""Countries and regions as senders write them → ISO 3166 codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

from babel import Locale
from babel.core import get_global

from ml.events.normalization.short_text_cache import cache_short_texts
from ml.events.normalization.subdivisions import find_subdivision, plain_name

# Two letters of the Unicode CLDR that are no country: groups of countries, and codes for tests and for nothing.
NOT_A_COUNTRY = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "CQ"})
# English names that people use and neither the Unicode CLDR nor the time zone database lists.
MORE_NAMES: Mapping[str, str] = {
    "america": "US", "bolivia plurinational state of": "BO", "brunei darussalam": "BN", "burma": "MM",
    "cabo verde": "CV", "congo": "CG", "cote divoire": "CI", "czech republic": "CZ",
    "democratic republic of the congo": "CD", "eire": "IE", "england": "GB", "great britain": "GB",
    "holland": "NL", "hong kong": "HK", "iran islamic republic of": "IR", "ivory coast": "CI",
    "korea": "KR", "korea republic of": "KR", "lao peoples democratic republic": "LA", "macao": "MO",
    "macau": "MO", "macedonia": "MK", "macedonia fyrom": "MK", "moldova republic of": "MD", "myanmar": "MM",
    "northern ireland": "GB", "palestine": "PS", "republic of ireland": "IE", "republic of korea": "KR",
    "russian federation": "RU", "scotland": "GB", "swaziland": "SZ", "syrian arab republic": "SY",
    "taiwan province of china": "TW", "tanzania united republic of": "TZ", "the gambia": "GM",
    "the netherlands": "NL", "turkey": "TR", "uae": "AE", "united states of america": "US",
    "venezuela bolivarian republic of": "VE", "viet nam": "VN", "wales": "GB", "rsa": "ZA",
}  # fmt: skip
REGION = re.compile(r"([A-Z]{2})-([A-Z0-9]{1,3})")
SUBDIVISION = re.compile(r"[A-Z0-9]{1,3}")


@cache_short_texts(4_096)
def normalize_country(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country; None for what names none, such as `XX` or `(not set)`.

    Codes of two letters, three letters and three digits, and English names are read; `UK` is `GB`.
    """
    code = text.strip().upper()
    if code in _codes():
        return code
    successors = get_global("territory_aliases").get(code)
    if successors:
        return successors[0] if len(successors) == 1 and successors[0] in _codes() else None
    return _country_names().get(plain_name(text))


@cache_short_texts(4_096)
def normalize_region(text: str, country: str | None = None) -> str | None:
    """Return the ISO 3166-2 code of a region; None for what names none, such as `(not set)`.

    Args:
        text: `DE-BE`, or where the country is known also `BE`, `Berlin` and names such as `Bavaria`.
        country: ISO 3166-1 alpha-2 code.
    """
    code = text.strip().upper().replace("_", "-")
    whole = REGION.fullmatch(code)
    if whole is not None:
        return code if whole[1] in _codes() else None
    if not country:
        return None
    subdivision = find_subdivision(text, country)
    is_former_code = subdivision is None and SUBDIVISION.fullmatch(text.strip()) is not None
    return f"{country}-{code}" if is_former_code else subdivision


@lru_cache(maxsize=1)
def _codes() -> frozenset[str]:
    territories = map(str, Locale("en").territories)
    return frozenset(code for code in territories if len(code) == 2 and code.isalpha()) - NOT_A_COUNTRY


@lru_cache(maxsize=1)
def _country_names() -> Mapping[str, str]:
    """English names without marks, in lower case → codes."""
    names = {plain_name(name): code for code, name in Locale("en").territories.items() if code in _codes()}
    table = resources.files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return {**{plain_name(name): code for code, name in rows}, **names, **MORE_NAMES}
