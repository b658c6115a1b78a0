"""Evaluates decision rules against the situation of a visitor.

Rules are tried by priority, the highest first, and then by their order in the file. For each kind of action the
first rule that matches decides. The boosts of all matching rules add up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ml.decisions.rules.rules import ACTIONS, FIELDS, DisplayRule
from ml.expressions.language import Expression, compile_expression


@dataclass(frozen=True)
class RuleContext:
    """The situation that rules are evaluated against.

    Attributes:
        facts: Values by the names of FIELDS; unknown facts are left out.
        at: The moment, aware.
        local: The same moment by the visitor's clock.
        slot: The slot that is decided.
        share_positions: Position of the visitor in [0, 1) by rule id, the same for a visitor and a rule every
            time.
        capped_contents: Contents that were shown often enough.
        capped: Campaigns that were shown often enough, or that the visitor's quiet hours hold back.
    """

    facts: Mapping[str, Any]
    at: dt.datetime
    local: dt.datetime
    slot: str | None
    share_positions: Mapping[str, float]
    capped: frozenset[str] = frozenset()
    capped_contents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its compiled condition and its line in the file."""

    rule: DisplayRule
    condition: Expression
    line: int

    def matches(self, context: RuleContext) -> bool:
        """Return whether the rule acts in this context."""
        return self.why_not(context) is None

    def why_not(self, context: RuleContext) -> str | None:
        """Return what keeps the rule from acting, or None if it acts."""
        rule = self.rule
        if rule.slots and context.slot not in rule.slots:
            return f"the slot is {context.slot!r}, not {' or '.join(rule.slots)}"
        if rule.valid_from and context.at < rule.valid_from:
            return f"valid only from {rule.valid_from.isoformat()}"
        if rule.valid_until and context.at >= rule.valid_until:
            return f"valid only until {rule.valid_until.isoformat()}"
        if not rule.schedule.includes(context.local):
            return f"outside its schedule: it is {context.local:%A %H:%M} for the visitor"
        if held_back := self._find_cap(context):
            return held_back
        if rule.share < 1.0 and context.share_positions.get(rule.id, 0.0) >= rule.share:
            return f"the visitor is not in the share of {rule.share:g}"
        if not self.condition.matches(context.facts):
            return f"the condition does not hold: {rule.when}"
        return None

    def _find_cap(self, context: RuleContext) -> str | None:
        """Return what holds the rule's campaign or contents back, or None."""
        rule = self.rule
        if rule.campaign is not None and rule.campaign in context.capped:
            return f"campaign {rule.campaign} is held back: caps or quiet hours"
        if rule.contents and context.capped_contents.issuperset(rule.contents):
            return f"{' and '.join(rule.contents)} was shown often enough"
        return None


@dataclass(frozen=True)
class RuleOutcome:
    """What the rules decided.

    Attributes:
        actions: Value and id of the deciding rule by kind of action.
        boosts: Tuples of `topic` or `item`, its name, the boost, and the rule id.
        learn: The rule whose variants a bandit chooses among; None if the content is fixed or untouched.
        matched: Ids of all rules that matched, in the order in which they were tried.
    """

    actions: Mapping[str, tuple[str, str]]
    boosts: tuple[tuple[str, str, float, str], ...]
    learn: DisplayRule | None
    matched: tuple[str, ...]


class RuleSet:
    """The rules of a file, in the order in which they are tried."""

    def __init__(self, rules: list[CompiledRule]) -> None:
        self.rules = sorted(rules, key=lambda compiled: -compiled.rule.priority)

    @cached_property
    def campaign_of_rule(self) -> Mapping[str, str | None]:
        """The campaign of each rule by its id; None for a rule without one."""
        return {compiled.rule.id: compiled.rule.campaign for compiled in self.rules}

    @cached_property
    def shown_by_campaign(self) -> Mapping[str, frozenset[str]]:
        """What the rules of each campaign may show: contents, banners and offers."""
        shown: dict[str, frozenset[str]] = {}
        for compiled in self.rules:
            campaign = compiled.rule.campaign
            if campaign is not None:
                shown[campaign] = shown.get(campaign, frozenset()).union(compiled.rule.shown_names)
        return shown

    @cached_property
    def contents(self) -> frozenset[str]:
        """The contents that any rule shows or chooses among."""
        return frozenset(content for compiled in self.rules for content in compiled.rule.contents)

    def evaluate(self, context: RuleContext) -> RuleOutcome:
        """Evaluate every rule in a context."""
        actions: dict[str, tuple[str, str]] = {}
        boosts: list[tuple[str, str, float, str]] = []
        learn: DisplayRule | None = None
        matched: list[str] = []
        for compiled in self.rules:
            if not compiled.matches(context):
                continue
            rule = compiled.rule
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
        return RuleOutcome(actions, tuple(boosts), learn, tuple(matched))

    def replace_rules(self, without: Collection[str], added: Iterable[DisplayRule]) -> RuleSet:
        """Return a set without some rules, and with others that are tried before those of the same priority."""
        kept = [compiled for compiled in self.rules if compiled.rule.id not in without]
        return RuleSet([*map(compile_rule, added), *kept])


NO_RULES = RuleSet([])


def compile_rule(rule: DisplayRule, line: int = 0) -> CompiledRule:
    """Compile the condition of a rule.

    Raises:
        ExpressionError: The condition is wrong.
    """
    return CompiledRule(rule, compile_expression(rule.when, FIELDS), line)
