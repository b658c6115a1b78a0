"""Personal data in events: found by the name of a field or by the look of a value; hashed, dropped or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ml.errors import TesseraError
from ml.events.normalization.short_text_cache import cache_short_texts

PiiRule = Literal["hash", "drop", "refuse", "keep"]
KEEP: tuple[PiiRule, str] = ("keep", "")
# The local part begins where a run of its characters does, and no quantifier gives anything back: each character
# of a text is looked at a few times, whatever the text is.
EMAIL = re.compile(
    r"(?:(?<![A-Za-z0-9._%+-])|(?<=%40))"
    r"(?:[A-Za-z0-9._+-]|%(?!40))++(?:@|%40)"
    r"[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,4}+"
)


class RefusedPersonalDataError(TesseraError, ValueError):
    """An event holds a personal datum that the site refuses."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field} holds {what}, which this site refuses")
        self.field = field
        self.reason = f"holds {what}, which this site refuses"


@dataclass(frozen=True)
class PiiRules:
    """`names` are fields (in lower case, without `_` and `-`) that hold personal data."""

    email: PiiRule
    phone: PiiRule
    other: PiiRule
    email_names: frozenset[str]
    phone_names: frozenset[str]
    other_names: frozenset[str]

    def of(self, name: str) -> tuple[PiiRule, str]:
        """The rule for a field, and what it holds."""
        return self._by_name.get(_plain(name), KEEP)

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[PiiRule, str]]:
        return {
            **dict.fromkeys(self.other_names, (self.other, "personal data")),
            **dict.fromkeys(self.phone_names, (self.phone, "a phone number")),
            **dict.fromkeys(self.email_names, (self.email, "an e-mail address")),
        }


@cache_short_texts(10_000)
def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


DROPPED = object()


def redact(value: Any, rules: PiiRules, pseudonym: Callable[[str], str], name: str = "") -> Any:
    """Remove personal data from a JSON value; `DROPPED` if none of the value may stay.

    Raises:
        RefusedPersonalDataError: a rule says `refuse`.
    """
    rule, what = rules.of(name) if name else KEEP
    if rule != "keep" and value not in (None, ""):
        if rule == "refuse":
            raise RefusedPersonalDataError(name, what)
        if rule == "drop":
            return DROPPED
        return pseudonym(str(value))
    if isinstance(value, str):
        return redact_text(value, rules, pseudonym, name)
    if isinstance(value, dict):
        return {
            key: kept
            for key, part in value.items()
            if (kept := redact(part, rules, pseudonym, key)) is not DROPPED
        }
    if isinstance(value, list):
        return [kept for part in value if (kept := redact(part, rules, pseudonym)) is not DROPPED]
    return value


def redact_text(text: str, rules: PiiRules, pseudonym: Callable[[str], str], name: str = "text") -> str:
    """Replace e-mail addresses in a text, such as the query of a page's URL.

    Raises:
        RefusedPersonalDataError: the rule for e-mail says `refuse`.
    """
    if rules.email == "keep" or ("@" not in text and "%40" not in text):
        return text
    if rules.email == "refuse" and EMAIL.search(text):
        raise RefusedPersonalDataError(name, "an e-mail address")
    return EMAIL.sub(lambda match: pseudonym(match[0].replace("%40", "@")) if rules.email == "hash" else "", text)
