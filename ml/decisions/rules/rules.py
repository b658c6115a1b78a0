"""Rules as data: when what holds, what is shown instead. Checked at load, every fault with its line.

A rule looks at the visitor's situation and acts on one slot, some slots or all of them. Rules are tried by
priority, the highest first, and by their order in the file; for each kind of action the first rule that matches
decides, and boosts of all matching rules add up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ml.decisions.rules.dayparts import WEEKDAYS
from ml.errors import TesseraError
from ml.expressions.language import Expression, ExpressionError, FieldType, compile_expression
from ml.local_clock import is_within
from ml.site.yaml_lines import DuplicateKeyError, Lines, read_yaml

TEXT, NUMBER, BOOLEAN, LIST = FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN, FieldType.LIST
FIELDS: Mapping[str, FieldType] = {
    "slot": TEXT,
    "user.is_known": BOOLEAN, "user.segment": TEXT, "user.persona": TEXT, "user.engagement_class": TEXT,
    "user.interests": LIST,
    "device_type": TEXT, "os": TEXT, "browser": TEXT, "network_type": TEXT, "screen_width": NUMBER,
    "screen_height": NUMBER,
    "country": TEXT, "region": TEXT, "city": TEXT, "language": TEXT, "currency": TEXT, "channel": TEXT,
    "page_url": TEXT, "referrer": TEXT,
    "local.hour": NUMBER, "local.daypart": TEXT, "local.weekday": TEXT, "local.is_weekend": BOOLEAN,
    "local.season": TEXT, "local.events": LIST,
    "weather.condition": TEXT, "weather.temperature": NUMBER,
    "recent.categories": LIST, "recent.items": LIST, "recent.opened": NUMBER, "visit.opened": NUMBER,
    "visit.seconds_since_last": NUMBER,
}  # fmt: skip
ACTIONS = ("content", "banner", "offer", "image_format", "image_size", "language", "currency")
Action = Literal["content", "banner", "offer", "image_format", "image_size", "language", "currency"]


class RulesError(TesseraError, ValueError):
    """The rules cannot be used; the message names file, line, rule and what is legal."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Boost(_Part):
    """Raises or lowers items of a topic (category or tag), or one item, by standard deviations of the score."""

    topic: str | None = None
    item: str | None = None
    by: float = Field(ge=-5, le=5)

    @model_validator(mode="after")
    def _one_of_two(self) -> Boost:
        if (self.topic is None) == (self.item is None):
            raise ValueError("give either topic or item")
        return self


class Then(_Part):
    """What a rule does. `learn` lets a bandit choose among content variants."""

    content: str | None = None
    learn: tuple[str, ...] = Field(default=(), max_length=20)
    banner: str | None = None
    offer: str | None = None
    image_format: Literal["auto", "avif", "webp", "jpeg"] | None = None
    image_size: Literal["small", "medium", "large"] | None = None
    language: str | None = None
    currency: str | None = None
    boost: tuple[Boost, ...] = ()

    @model_validator(mode="after")
    def _acts(self) -> Then:
        if self.content is not None and self.learn:
            raise ValueError("content and learn exclude each other: a variant is either chosen or learned")
        if len(self.learn) == 1 or len(set(self.learn)) != len(self.learn):
            raise ValueError("learn needs at least two different variants")
        if not self.model_dump(exclude_defaults=True):
            raise ValueError(f"a rule must do something: learn, boost, {', '.join(ACTIONS)}")
        return self


class Schedule(_Part):
    """When a rule holds, by the visitor's own clock: hours as `06:00-11:00` (they may span midnight), weekdays."""

    hours: str | None = None
    weekdays: tuple[Literal[WEEKDAYS], ...] = ()  # type: ignore[valid-type]

    @field_validator("hours")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            _minutes(value)
        return value

    def holds(self, local: dt.datetime) -> bool:
        """Whether a moment of the visitor's clock lies within."""
        if self.weekdays and WEEKDAYS[local.weekday()] not in self.weekdays:
            return False
        if self.hours is None:
            return True
        start, end = _minutes(self.hours)
        return is_within(local.hour * 60 + local.minute, start, end)


class Rule(_Part):
    """One rule as it stands in the file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    then: Then
    when: str = "true"
    slots: tuple[str, ...] = ()
    priority: int = 0
    schedule: Schedule = Schedule()
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None
    share: float = Field(default=1.0, gt=0, le=1)
    campaign: str | None = None

    @field_validator("valid_from", "valid_until", mode="after")
    @classmethod
    def _aware(cls, value: dt.datetime | None) -> dt.datetime | None:
        return value.replace(tzinfo=dt.UTC) if value is not None and value.tzinfo is None else value

    @model_validator(mode="after")
    def _in_order(self) -> Rule:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must lie after valid_from")
        return self


@dataclass(frozen=True)
class Moment:
    """What rules are held against.

    Attributes:
        facts: by the names of FIELDS; what is not known is left out.
        at: the moment, aware.
        local: the same by the visitor's clock.
        share_place: where the visitor falls in [0, 1), the same for one visitor and rule every time.
        capped: campaigns that were shown often enough, or that the visitor's quiet hours hold back.
    """

    facts: Mapping[str, Any]
    at: dt.datetime
    local: dt.datetime
    slot: str | None
    share_place: Mapping[str, float]
    capped: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Compiled:
    """A rule with its condition ready to evaluate."""

    rule: Rule
    condition: Expression
    line: int

    def matches(self, moment: Moment) -> bool:
        """Whether the rule acts at this moment."""
        return self.why_not(moment) is None

    def why_not(self, moment: Moment) -> str | None:
        """What keeps the rule from acting, None if it acts."""
        rule = self.rule
        if rule.slots and moment.slot not in rule.slots:
            return f"the slot is {moment.slot!r}, not {' or '.join(rule.slots)}"
        if rule.valid_from and moment.at < rule.valid_from:
            return f"valid only from {rule.valid_from.isoformat()}"
        if rule.valid_until and moment.at >= rule.valid_until:
            return f"valid only until {rule.valid_until.isoformat()}"
        if not rule.schedule.holds(moment.local):
            return f"outside its schedule: it is {moment.local:%A %H:%M} for the visitor"
        if rule.campaign is not None and rule.campaign in moment.capped:
            return f"campaign {rule.campaign} is held back: caps or quiet hours"
        if rule.share < 1.0 and moment.share_place.get(rule.id, 0.0) >= rule.share:
            return f"the visitor is not in the share of {rule.share:g}"
        if not self.condition.matches(moment.facts):
            return f"the condition does not hold: {rule.when}"
        return None


@dataclass(frozen=True)
class Applied:
    """What the rules decided.

    Attributes:
        actions: by kind of action: the value and the id of the rule that chose it.
        boosts: (`topic` or `item`, its name, by how much, rule id).
        learn: rule whose variants a bandit chooses among, None where content is fixed or untouched.
        matched: ids of all rules that matched, in the order in which they were tried.
    """

    actions: Mapping[str, tuple[str, str]]
    boosts: tuple[tuple[str, str, float, str], ...]
    learn: Rule | None
    matched: tuple[str, ...]


class Rules:
    """All rules of a file, in the order in which they are tried."""

    def __init__(self, compiled: list[Compiled]) -> None:
        self.compiled = sorted(compiled, key=lambda one: -one.rule.priority)

    def apply(self, moment: Moment) -> Applied:
        """Hold every rule against a moment."""
        actions: dict[str, tuple[str, str]] = {}
        boosts: list[tuple[str, str, float, str]] = []
        learn: Rule | None = None
        matched: list[str] = []
        for one in self.compiled:
            if not one.matches(moment):
                continue
            rule = one.rule
            matched.append(rule.id)
            for kind in ACTIONS:
                value = getattr(rule.then, kind)
                if value is not None and kind not in actions and not (kind == "content" and learn):
                    actions[kind] = (value, rule.id)
            if rule.then.learn and learn is None and "content" not in actions:
                learn = rule
            for boost in rule.then.boost:
                kind, name = ("topic", boost.topic) if boost.topic is not None else ("item", boost.item)
                boosts.append((kind, str(name), boost.by, rule.id))
        return Applied(actions, tuple(boosts), learn, tuple(matched))

    def changed(self, without: Collection[str], added: Iterable[Rule]) -> Rules:
        """These rules less some, and others that are tried before those of their priority."""
        return Rules([*map(compile_rule, added), *(one for one in self.compiled if one.rule.id not in without)])


NO_RULES = Rules([])


def compile_rule(rule: Rule, line: int = 0) -> Compiled:
    """Make a rule ready; raises `ml.expressions.ExpressionError` where its condition does not hold."""
    return Compiled(rule, compile_expression(rule.when, FIELDS), line)


def load_rules(path: Path) -> Rules:
    """Read and check a rules file; a missing file means no rules.

    Raises:
        RulesError: it is no YAML, or a rule is wrong; file and line are named.
    """
    if not path.exists():
        return NO_RULES
    try:
        document, lines = read_yaml(path)
    except DuplicateKeyError as error:
        raise RulesError(f"{path}:{error.line}: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        raise RulesError(f"{path}{place}: no valid YAML: {getattr(error, 'problem', error)}") from None
    if document is None:
        return NO_RULES
    if not isinstance(document, dict) or set(document) - {"rules", "tests"} or "rules" not in document:
        raise RulesError(f"{path}:1: expected `rules:` with a list below it, and `tests:` if you like")
    entries = document["rules"] or []
    if not isinstance(entries, list):
        raise RulesError(f"{path}:{lines.find(('rules',))}: `rules` must be a list")
    found: list[Compiled] = []
    for number, entry in enumerate(entries):
        compiled = _compiled(path, lines, number, entry)
        earlier = next((one for one in found if one.rule.id == compiled.rule.id), None)
        if earlier:
            raise RulesError(
                f"{path}:{compiled.line}: rule {compiled.rule.id} stands here again, first on line {earlier.line}"
            )
        found.append(compiled)
    return Rules(found)


def _compiled(path: Path, lines: Lines, place: int, entry: Any) -> Compiled:
    line = lines.find(("rules", place))
    try:
        rule = Rule.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = lines.find(("rules", place, *first["loc"]))
        name = entry.get("id", f"number {place + 1}") if isinstance(entry, dict) else f"number {place + 1}"
        field = ".".join(str(part) for part in first["loc"]) or "rule"
        message = first["msg"].removeprefix("Value error, ")
        raise RulesError(f"{path}:{where}: rule {name}: {field}: {message} (found {first['input']!r})") from None
    try:
        return compile_rule(rule, line)
    except ExpressionError as error:
        where = lines.find(("rules", place, "when")) + error.line - 1
        raise RulesError(f"{path}:{where}: rule {rule.id}: when: {error}") from None


def _minutes(hours: str) -> tuple[int, int]:
    """`06:00-11:30` as minutes of the day."""
    try:
        start, end = (dt.time.fromisoformat(part.strip()) for part in hours.split("-"))
    except ValueError:
        raise ValueError(f"{hours!r} is no span such as 06:00-11:00") from None
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute
