"""Reads the form in which a person sets what they would like to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from serving.errors import describe_invalid_body
from serving.requests import Preferences


def read_preferences(form: Mapping[str, Sequence[str]]) -> Preferences:
    """Return what a form sets: all of it, since what is not ticked was taken back.

    Raises:
        ApiError: 422 naming the field that is wrong.
    """
    quiet = {name: _first(form, f"quiet_{name}") for name in ("from", "to")}
    limit = _first(form, "item_impressions_per_day")
    fields: dict[str, Any] = {
        "interests": list(form.get("interests", ())),
        "muted": list(form.get("muted", ())),
        "opt_out": _first(form, "personalization") != "on",
        "item_impressions_per_day": _number(limit),
        "quiet_hours": {name: _number(text) for name, text in quiet.items()} if any(quiet.values()) else None,
    }
    try:
        return Preferences.model_validate(fields)
    except ValidationError as error:
        raise describe_invalid_body(error) from None


def _first(form: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(form.get(name, ())), "")


def _number(text: str) -> float | int | str | None:
    """Return a number; what is none is left as it is, and refused where the field is known."""
    if not text:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text
