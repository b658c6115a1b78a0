"""The languages of the console: what texts, numbers and charts become, and how the address keeps a choice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from serving.console.formats import DASH
from serving.console.localized_texts import Localized, Numeral
from serving.console.page_parts import Cell
from serving.visitor_page.languages import NAMES, choose_language, read_translations

FOLDER = Path(__file__).with_name("translations")
PARAMETER = "lang"
_LINK = re.compile(r'((?:href|action|hx-get|data-live)=")(/console(?!/static)[^"#]*)')
_CHOICE = re.compile(r'(<form [^>]*method="get"[^>]*>)')


class Language:
    """A language.

    Args:
        code: Its code, ISO 639-1.

    Attributes:
        code: The code.
        missing: Texts of the console that were written without a translation.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.missing: set[str] = set()
        self._words: NullTranslations = read_translations(code, FOLDER)

    def translate(self, text: str) -> str:
        """Return a text in the language; the text itself where it is not translated."""
        if not text:
            return ""
        translated = self._words.gettext(text)
        if translated == text:
            self.missing.add(text)
        return translated

    def write(self, text: str) -> str:
        """Return a text of the console, such as a heading."""
        return text.write(self) if isinstance(text, Localized) else self.translate(text)

    def write_cell(self, cell: Cell) -> str:
        """Return a cell: what events and settings say stays, numbers have the separators of the language."""
        if cell is None:
            return DASH
        if isinstance(cell, str):
            return cell.write(self) if isinstance(cell, Localized) else cell
        return Numeral(f"{cell:,}").write(self)

    def write_chart(self, part: Any) -> Any:
        """Return the description of a chart with the texts of the console in the language."""
        if isinstance(part, Mapping):
            return {key: self.write_chart(value) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return [self.write_chart(value) for value in part]
        return part.write(self) if isinstance(part, Localized) else part


@cache
def read_language(code: str) -> Language:
    """Return a language, whose catalogue is read once."""
    return Language(code)


def language_of(request: Request) -> Language:
    """Return the language that the address names, or else the best one that the browser asks for."""
    return read_language(choose_language(request, request.query_params.get(PARAMETER, "")))


def chosen_language(request: Request) -> str:
    """Return the language that the address names; empty if it names none of them."""
    chosen = request.query_params.get(PARAMETER, "")
    return chosen if chosen in NAMES else ""


def carry_language(page: str, chosen: str) -> str:
    """Return a page whose links and forms keep the language that the address names.

    Args:
        page: HTML of the console, whose links to itself begin with `/console`.
        chosen: Code of the language; empty leaves the page to the browser's choice.
    """
    if not chosen:
        return page
    carried = _LINK.sub(lambda link: link[1] + _add(link[2], chosen), page)
    return _CHOICE.sub(rf'\1<input type="hidden" name="{PARAMETER}" value="{chosen}">', carried)


def add_language(address: str, chosen: str) -> str:
    """Return an address of the console that keeps the language."""
    return _add(address, chosen, "&") if chosen and address.startswith("/console") else address


def list_languages(query: Mapping[str, str], path: str, current: str) -> list[dict[str, Any]]:
    """Return the other languages, with the address of the same page in each."""
    return [
        {"code": code, "name": name, "address": f"{path}?{urlencode({**query, PARAMETER: code})}"}
        for code, name in NAMES.items()
        if code != current
    ]


def _add(address: str, chosen: str, separator: str = escape("&")) -> str:
    if f"{PARAMETER}=" in address:
        return address
    return f"{address}{separator if '?' in address else '?'}{PARAMETER}={chosen}"
