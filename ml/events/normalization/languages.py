"""Languages as senders write them → BCP 47 tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from babel import Locale
from babel.core import get_global

from ml.events.normalization.short_text_cache import cache_short_texts

# Codes of ISO 639 that say that the language is not known, several, or none.
NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx", "nan", "root"})
TAG = re.compile(r"([a-z]{2,3})((?:-[a-z0-9]{1,8})*)", re.I | re.A)


@cache_short_texts(4_096)
def normalize_language(text: str) -> str | None:
    """Return the BCP 47 tag of a language in its usual spelling; None for what names none.

    `en_us`, `EN-US`, `en_US.UTF-8`, `en-US,en;q=0.9` and `English` are read.
    """
    first = re.split(r"[,;.@]", text.strip().strip("\"'"))[0].strip()
    by_name = _language_names().get(first.lower())
    tag = TAG.fullmatch(by_name or first.replace("_", "-"))
    if tag is None:
        return None
    language = tag[1].lower()
    rest = tag[2].split("-")[1:]
    if (language in NO_LANGUAGE and not rest) or not _is_language(language):
        return None
    return "-".join([language, *_subtags(rest)])


def _subtags(parts: list[str]) -> list[str]:
    """Script in title case, region in upper case, all else in lower case, as BCP 47 advises."""
    written = []
    is_extension = False
    for part in parts:
        is_extension = is_extension or len(part) == 1
        if not is_extension and len(part) == 4 and part.isalpha():
            written.append(part.title())
        elif not is_extension and len(part) == 2 and part.isalpha():
            written.append(part.upper())
        else:
            written.append(part.lower())
    return written


def _is_language(code: str) -> bool:
    return code in Locale("en").languages or code in get_global("language_aliases")


@lru_cache(maxsize=1)
def _language_names() -> Mapping[str, str]:
    """English names of languages in lower case → their codes, such as `german` → `de`."""
    return {name.lower(): code for code, name in Locale("en").languages.items() if len(name) > 3}
