"""Currencies as senders write them → ISO 4217 codes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from babel import Locale
from babel.numbers import list_currencies

from ml.events.normalization.short_text_cache import cache_short_texts

# Signs that one currency alone has; `$`, `kr` and `¥` stand for several.
SIGNS: Mapping[str, str] = {"€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "US$": "USD"}
CURRENCY_KEYS = ("currency", "currency_code", "currencycode", "$currency")


@cache_short_texts(1_024)
def normalize_currency(text: str) -> str | None:
    """Return the ISO 4217 code of a currency; None for what names none."""
    code = text.strip().upper()
    if code in currency_codes():
        return code
    return SIGNS.get(code) or _names().get(text.strip().lower())


@lru_cache(maxsize=1)
def currency_codes() -> frozenset[str]:
    """All codes of ISO 4217, former ones included."""
    return frozenset(list_currencies())


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    return {name.lower(): code for code, name in Locale("en").currencies.items()}
