"""What the page says: the facts of a description in words, and the choices of its forms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Any

from babel import Locale
from babel.dates import format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from ml.privacy.person_key import ids_of_key
from serving.privacy.person_description import describe_user, find_item_titles
from serving.privacy.personalization import find_consent
from serving.recommend.questions import ask_about_site
from serving.tessera import Tessera

LIMITS = (1, 2, 3, 5, 10)
HOURS = tuple(range(24))
LEAST_SHARE = 0.05  # of a membership that is named


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


FACTS: Mapping[str, str] = {
    "first_seen_at": _("First visit"),
    "last_seen_at": _("Last visit that was counted"),
    "sessions": _("Visits"),
    "active_days": _("Days on which you were here"),
    "page_views": _("Pages that you opened"),
    "searches": _("Searches"),
    "purchases": _("Purchases"),
    "device_type": _("Kind of device that you use most"),
    "daypart": _("Time of day at which you are here most"),
    "top_category": _("Topic that you open most"),
    "country": _("Country"),
    "region": _("Region"),
    "city": _("City"),
    "timezone": _("Time zone"),
    "language": _("Language"),
    "consents": _("What you agreed to"),
}
"""Facts that everybody understands, in their order; all others stand below them under their names."""
WORDS: Mapping[str, str] = {
    "mobile": _("phone"),
    "tablet": _("tablet"),
    "desktop": _("computer"),
    "tv": _("television"),
    "morning": _("morning"),
    "afternoon": _("afternoon"),
    "evening": _("evening"),
    "night": _("night"),
    "analytics": _("counting what you do"),
    "personalization": _("choosing what you see"),
    "location": _("using your place"),
}
PLACES: Mapping[str, str] = {
    "online state": _("memory of the running service"),
    "event log": _("record of what happened"),
    "dead letters": _("records that could not be read"),
    "contacts": _("contacts"),
    "audiences": _("lists of recipients"),
    "warehouse": _("tables for analysis"),
    "MLflow": _("models and their history"),
    "published bundles": _("what the service answers from"),
    "Bentos": _("packaged services"),
    "other files": _("other files"),
}


@dataclass(frozen=True)
class FormChoice:
    """A choice of a form: what is sent, what is read, and whether it is chosen now."""

    value: str
    label: str
    is_chosen: bool


class Wording:
    """Writes values in the language of a reader.

    Args:
        words: The texts of the language.
        language: Its code.
        zone: The site's time zone.
    """

    def __init__(self, words: NullTranslations, language: str, zone: dt.tzinfo) -> None:
        self.words = words
        self.language = language
        self._zone = zone
        self._locale = Locale(language)

    def text(self, value: Any) -> str:
        """Return a value in words."""
        if isinstance(value, bool):
            return self.words.gettext("yes") if value else self.words.gettext("no")
        if isinstance(value, dt.datetime):
            return self.moment(value if value.tzinfo else value.replace(tzinfo=dt.UTC))
        if isinstance(value, int | float):
            return str(format_decimal(value, format="#,##0.##", locale=self.language))
        if isinstance(value, Mapping):
            return self.text(list(value.items()))
        if isinstance(value, tuple):
            return " ".join(map(self.text, value))
        if isinstance(value, list):
            return ", ".join(map(self.text, value))
        return self.words.gettext(WORDS[value]) if value in WORDS else str(value)

    def fact(self, name: str, value: Any) -> str:
        """Return the value of a fact: the name of a country for its code, for example."""
        if name == "country":
            return str(self._locale.territories.get(value, value))
        if name == "language":
            return str(self._locale.languages.get(str(value).partition("-")[0], value))
        return self.text(value)

    def moment(self, at: dt.datetime) -> str:
        """Return a moment by the clocks of the site."""
        return str(format_datetime(at.astimezone(self._zone), "medium", locale=self.language))

    def percent(self, share: float) -> str:
        """Return a share in per cent."""
        return str(format_percent(share, format="#,##0%", locale=self.language))

    def hour(self, hour: int) -> str:
        """Return an hour of the day."""
        return str(format_time(dt.time(hour % 24), "short", locale=self.language))


def describe_visitor(tessera: Tessera, key: str, wording: Wording) -> dict[str, Any]:
    """Return what the page of the person with a key shows."""
    user_id, anonymous_id = ids_of_key(key)
    person = user_id or anonymous_id or ""
    described = describe_user(tessera, person, key)
    description: Mapping[str, Any] = described or {"facts": {}, "items": [], "recent": [], "memberships": {}}
    profile: Mapping[str, Any] = tessera.state.profile(key)
    consent = find_consent(tessera.state, tessera.champion, (key,))
    facts = {**description["facts"], "daypart": description.get("daypart")}
    titles = find_item_titles(
        tessera, [item["item_id"] for item in (*description["items"], *description["recent"])]
    )
    return {
        "person": person,
        "is_known": described is not None,
        "is_personalized": bool(description.get("is_personalized")),
        "is_off": bool(profile.get("opt_out")),
        "has_refused": consent.has_refused,
        "segment": description.get("segment"),
        "persona": description.get("persona"),
        "memberships": [
            (name, wording.percent(share))
            for name, share in sorted(description["memberships"].items(), key=lambda each: -each[1])
            if share >= LEAST_SHARE
        ],
        "facts": [
            (wording.words.gettext(label), wording.fact(name, facts[name]))
            for name, label in FACTS.items()
            if facts.get(name) not in (None, [], "")
        ],
        "other_facts": [
            (name.replace("_", " "), wording.text(value))
            for name, value in sorted(facts.items())
            if name not in FACTS and value not in (None, [], {}, "")
        ],
        "items": [(titles[item["item_id"]], item["reason"]) for item in description["items"]],
        "opened": [
            (titles[item["item_id"]], wording.moment(dt.datetime.fromisoformat(item["at"])))
            for item in description["recent"]
        ],
        **list_choices(tessera, profile, wording),
    }


def list_choices(tessera: Tessera, profile: Mapping[str, Any], wording: Wording) -> dict[str, list[FormChoice]]:
    """Return the choices of the form, with what the person chose before."""
    offered = [topic for question in ask_about_site(tessera.champion) for topic in question["choices"]]
    limit, quiet = profile.get("item_impressions_per_day"), profile.get("quiet_hours") or {}
    return {
        "interests": _topics(offered, profile.get("interests") or ()),
        "muted": _topics(offered, profile.get("muted") or ()),
        "limits": [
            FormChoice("", wording.words.gettext("no limit of mine"), limit is None),
            *(
                FormChoice(str(most), wording.text(most), most == limit)
                for most in sorted({*LIMITS, *_set(limit)})
            ),
        ],
        "quiet_from": _hours(quiet.get("from"), wording),
        "quiet_to": _hours(quiet.get("to"), wording),
    }


def describe_receipt(receipt: Mapping[str, Any], wording: Wording) -> list[tuple[str, str, bool]]:
    """Return each place of an erasure: its name, what was done, and whether it is verified."""
    rows = []
    for place in receipt["places"]:
        name = wording.words.gettext(PLACES.get(place["place"], place["place"]))
        is_verified = place["status"] == "verified"
        said = (
            wording.words.gettext("nothing about you is left") if is_verified else wording.words.gettext("pending")
        )
        rows.append((name, said, is_verified))
    return rows


def _topics(offered: Sequence[str], chosen: Sequence[str]) -> list[FormChoice]:
    return [FormChoice(topic, topic, topic in chosen) for topic in dict.fromkeys((*offered, *chosen))]


def _hours(chosen: float | None, wording: Wording) -> list[FormChoice]:
    hours = [FormChoice("", "–", chosen is None)]
    for hour in sorted({*HOURS, *_set(chosen)}):
        minutes = round(hour % 1 * 60)
        label = wording.hour(int(hour)) if not minutes else f"{int(hour)}:{minutes:02}"
        hours.append(FormChoice(f"{hour:g}", label, hour == chosen))
    return hours


def _set(value: float | None) -> set[float]:
    return set() if value is None else {value}
