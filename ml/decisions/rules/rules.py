"""The form of a decision rule in `rules.yaml`: when it holds, and what is shown then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ml.decisions.rules.dayparts import WEEKDAYS
from ml.expressions.language import FieldType
from ml.local_clock import is_within

TEXT, NUMBER, BOOLEAN = FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN
LIST, MAP = FieldType.LIST, FieldType.MAP
FIELDS: Mapping[str, FieldType] = {
    "slot": TEXT,
    "user.is_known": BOOLEAN, "user.segment": TEXT, "user.persona": TEXT, "user.engagement_class": TEXT,
    "user.interests": LIST,
    "device_type": TEXT, "os": TEXT, "browser": TEXT, "network_type": TEXT, "screen_width": NUMBER,
    "screen_height": NUMBER, "orientation": TEXT, "battery": TEXT, "motion": TEXT,
    "country": TEXT, "region": TEXT, "city": TEXT, "language": TEXT, "currency": TEXT, "channel": TEXT,
    "page_url": TEXT, "referrer": TEXT,
    "local.hour": NUMBER, "local.daypart": TEXT, "local.weekday": TEXT, "local.is_weekend": BOOLEAN,
    "local.season": TEXT, "local.events": LIST,
    "weather.condition": TEXT, "weather.temperature": NUMBER,
    "recent.categories": LIST, "recent.items": LIST, "recent.opened": NUMBER, "visit.opened": NUMBER,
    "visit.seconds_since_last": NUMBER,
    "visit.signals": MAP, "intent.convert": NUMBER, "intent.leave": NUMBER, "intent.return": NUMBER,
}  # fmt: skip
"""The facts that a condition may name."""
DAY_MINUTES = 24 * 60
ACTIONS = ("content", "banner", "offer", "image_format", "image_size", "language", "currency")


class _RulePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreBoost(_RulePart):
    """Raises or lowers the items of a topic (category or tag), or an item, by standard deviations of the score."""

    topic: str | None = None
    item: str | None = None
    by: float = Field(ge=-5, le=5)

    @model_validator(mode="after")
    def _check_target(self) -> ScoreBoost:
        if (self.topic is None) == (self.item is None):
            raise ValueError("give either topic or item")
        return self


class RuleActions(_RulePart):
    """What a rule does. With `learn`, a bandit chooses among content variants."""

    content: str | None = None
    learn: tuple[str, ...] = Field(default=(), max_length=20)
    banner: str | None = None
    offer: str | None = None
    image_format: Literal["auto", "avif", "webp", "jpeg"] | None = None
    image_size: Literal["small", "medium", "large"] | None = None
    language: str | None = None
    currency: str | None = None
    boost: tuple[ScoreBoost, ...] = ()

    @model_validator(mode="after")
    def _check_actions(self) -> RuleActions:
        if self.content is not None and self.learn:
            raise ValueError("content and learn exclude each other: a variant is either chosen or learned")
        if len(self.learn) == 1 or len(set(self.learn)) != len(self.learn):
            raise ValueError("learn needs at least two different variants")
        if not self.model_dump(exclude_defaults=True):
            raise ValueError(f"a rule must do something: learn, boost, {', '.join(ACTIONS)}")
        return self


class RuleSchedule(_RulePart):
    """When a rule holds by the visitor's clock.

    Attributes:
        hours: A span such as `06:00-11:00`, which may include midnight.
        weekdays: Lower-case names; all days if empty.
    """

    hours: str | None = None
    weekdays: tuple[Literal[WEEKDAYS], ...] = ()  # type: ignore[valid-type]

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, value: str | None) -> str | None:
        if value is not None:
            _parse_hours(value)
        return value

    def includes(self, local: dt.datetime) -> bool:
        """Return whether a moment of the visitor's clock is within the schedule."""
        if self.weekdays and WEEKDAYS[local.weekday()] not in self.weekdays:
            return False
        if self.hours is None:
            return True
        start, end = _parse_hours(self.hours)
        return is_within(local.hour * 60 + local.minute, start, end)

    def list_spans(self, weekday: str) -> list[tuple[int, int]]:
        """Return the spans of a weekday within the schedule, as minutes of the day, the end not included."""
        if self.weekdays and weekday not in self.weekdays:
            return []
        if self.hours is None:
            return [(0, DAY_MINUTES)]
        start, end = _parse_hours(self.hours)
        spans = [(start, end)] if start <= end else [(0, end), (start, DAY_MINUTES)]
        return [span for span in spans if span[0] < span[1]]


class DisplayRule(_RulePart):
    """One rule of the file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    then: RuleActions
    when: str = "true"
    slots: tuple[str, ...] = ()
    priority: int = 0
    schedule: RuleSchedule = RuleSchedule()
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None
    share: float = Field(default=1.0, gt=0, le=1)
    campaign: str | None = None

    @property
    def contents(self) -> tuple[str, ...]:
        """The content that the rule shows, or the variants that it chooses among."""
        return self.then.learn if self.then.content is None else (self.then.content,)

    @property
    def shown_names(self) -> tuple[str, ...]:
        """Everything that the rule may show: contents, banner and offer."""
        return (*self.contents, *(name for name in (self.then.banner, self.then.offer) if name is not None))

    @field_validator("valid_from", "valid_until", mode="after")
    @classmethod
    def _assume_utc(cls, value: dt.datetime | None) -> dt.datetime | None:
        return value.replace(tzinfo=dt.UTC) if value is not None and value.tzinfo is None else value

    @model_validator(mode="after")
    def _check_validity(self) -> DisplayRule:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must lie after valid_from")
        return self


def _parse_hours(hours: str) -> tuple[int, int]:
    """Return the start and the end of a span such as `06:00-11:30` as minutes of the day."""
    try:
        start, end = (dt.time.fromisoformat(part.strip()) for part in hours.split("-"))
    except ValueError:
        raise ValueError(f"{hours!r} is not a span such as 06:00-11:00") from None
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute
