"""The languages of pages: gettext catalogues as text, which are read when the service starts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import Request

FOLDER = Path(__file__).with_name("translations")
ENGLISH = "en"
NAMES: Mapping[str, str] = {ENGLISH: "English", "de": "Deutsch"}


@cache
def read_translations(language: str, folder: Path = FOLDER) -> NullTranslations:
    """Return the texts of a language; those of English are the keys themselves.

    Args:
        language: Code of the language.
        folder: Where its catalogue lies.
    """
    if language == ENGLISH:
        return NullTranslations()
    with (folder / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def choose_language(request: Request, chosen: str) -> str:
    """Return the language for a reader: the one that they chose, or else the best that their browser asks for."""
    if chosen in NAMES:
        return chosen
    preferred = [
        tag.strip().replace("-", "_")
        for tag, _, quality in (
            part.partition(";") for part in request.headers.get("accept-language", "").split(",")
        )
        if quality.strip() != "q=0"
    ]
    return (negotiate_locale(preferred, NAMES) or ENGLISH) if preferred else ENGLISH
