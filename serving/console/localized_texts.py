"""Texts of pages that are written in the language of their reader: messages, numbers, dates and times.

Each of them is a text in English, which is what CSV files hold and what stays where nothing is translated.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Protocol, Self

from babel.dates import format_date, format_datetime
from babel.numbers import get_decimal_symbol, get_group_symbol


class Words(Protocol):
    """A language."""

    code: str

    def translate(self, text: str) -> str:
        """Return a text in the language; the text itself where it is not translated."""


class Localized(str):
    """A text in English that knows how it is written in another language."""

    __slots__ = ()

    def write(self, language: Words) -> str:
        """Return the text in a language."""
        raise NotImplementedError


class Message(Localized):
    """A sentence or word of the console, with values in the place of names in braces."""

    __slots__ = ("text", "values")
    text: str
    values: Mapping[str, str]

    def __new__(cls, text: str, values: Mapping[str, str]) -> Self:
        """Fill in the values."""
        message = super().__new__(cls, text.format(**values) if values else text)
        message.text, message.values = text, values
        return message

    def write(self, language: Words) -> str:
        """Return the translation with the values, each as the language writes it."""
        translated = language.translate(self.text)
        if not self.values:
            return translated
        return translated.format(**{name: write_value(value, language) for name, value in self.values.items()})


class Sentences(Localized):
    """Sentences one after the other."""

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __new__(cls, *parts: str) -> Self:
        """Join the sentences that are not empty."""
        kept = tuple(part for part in parts if part)
        sentences = super().__new__(cls, " ".join(part.strip() for part in kept))
        sentences.parts = kept
        return sentences

    def write(self, language: Words) -> str:
        """Return each of them in the language; those that are not the console's stay."""
        return " ".join(write_value(part, language).strip() for part in self.parts)


class Numeral(Localized):
    """A number that is written already: digits, separators, a sign."""

    __slots__ = ()

    def write(self, language: Words) -> str:
        """Return the number with the separators of the language."""
        decimal, group = get_decimal_symbol(language.code), get_group_symbol(language.code)
        return self.translate(str.maketrans(".,", f"{decimal}{group}"))


class Day(Localized):
    """A date."""

    __slots__ = ("date",)
    date: dt.date

    def __new__(cls, date: dt.date) -> Self:
        """Write it in ISO 8601."""
        day = super().__new__(cls, f"{date:%Y-%m-%d}")
        day.date = date
        return day

    def write(self, language: Words) -> str:
        """Return the date as the language writes it."""
        return str(self) if language.code == "en" else format_date(self.date, "medium", language.code)


class Moment(Localized):
    """A time to the minute, by the clock of the site."""

    __slots__ = ("moment",)
    moment: dt.datetime

    def __new__(cls, moment: dt.datetime) -> Self:
        """Write it in ISO 8601 to the minute."""
        written = super().__new__(cls, f"{moment:%Y-%m-%d %H:%M}")
        written.moment = moment
        return written

    def write(self, language: Words) -> str:
        """Return the time as the language writes it."""
        if language.code == "en":
            return str(self)
        return format_datetime(self.moment.replace(tzinfo=None), "dd.MM.yyyy HH:mm", locale=language.code)


def say(text: str, **values: str | int | dt.date) -> Message:
    """Return a message of the console. Its text is a key of the catalogues.

    Args:
        text: The message in English, with names in braces for values.
        values: Texts, whole numbers and dates.
    """
    return Message(text, {name: _written(value) for name, value in values.items()})


def write_value(value: str, language: Words) -> str:
    """Return a text that may be localized; any other stays as it is."""
    return value.write(language) if isinstance(value, Localized) else value


def _written(value: str | int | dt.date) -> str:
    if isinstance(value, str):
        return value
    return Day(value) if isinstance(value, dt.date) else Numeral(f"{value:,}")
