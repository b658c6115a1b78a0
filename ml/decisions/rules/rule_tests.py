"""Runs the `tests:` of a rules file: situations, and what the rules must decide in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.decisions.rules.dayparts import WEEKDAYS, name_season
from ml.decisions.rules.rule_set import RuleContext, RuleSet
from ml.decisions.rules.rules import ACTIONS, FIELDS
from ml.decisions.rules.rules_file import RulesError, load_rules
from ml.expressions.language import FieldType
from ml.local_clock import find_zone
from ml.site.yaml_lines import read_yaml

LEGAL = {"name", "slot", "at", "timezone", "facts", "expect"}


@dataclass(frozen=True)
class RuleTestResult:
    """The name of a test, and what was wrong; None if nothing was."""

    name: str
    problem: str | None


def run_rule_tests(path: Path) -> list[RuleTestResult]:
    """Run the `tests:` of a rules file.

    Raises:
        RulesError: The rules or a test cannot be read.
    """
    rules = load_rules(path)
    if not path.exists():
        return []
    document, lines = read_yaml(path)
    results = []
    for number, test in enumerate((document or {}).get("tests") or []):
        _check_test(test, f"{path}:{lines.find(('tests', number))}")
        name = str(test.get("name", f"test {number + 1}"))
        results.append(RuleTestResult(name, "; ".join(_find_differences(rules, test)) or None))
    return results


def build_rule_context(
    facts: Mapping[str, Any], slot: str | None, at: dt.datetime, timezone: dt.tzinfo
) -> RuleContext:
    """Build a context from the facts that are given; facts of local time follow from the moment unless given."""
    local = at.astimezone(timezone)
    all_facts: dict[str, Any] = {
        "local.hour": local.hour + local.minute / 60,
        "local.weekday": WEEKDAYS[local.weekday()],
        "local.is_weekend": local.weekday() >= 5,
        "local.season": name_season(local.month, str(facts["country"]) if "country" in facts else None),
        "slot": slot,
        **facts,
    }
    typed = {
        name: float(value) if FIELDS.get(name) is FieldType.NUMBER and isinstance(value, int) else value
        for name, value in all_facts.items()
        if value is not None
    }
    return RuleContext(typed, at, local, slot, {})


def _check_test(test: Any, location: str) -> None:
    if not isinstance(test, dict) or set(test) - LEGAL or "expect" not in test:
        raise RulesError(f"{location}: a test has {', '.join(sorted(LEGAL))}, and needs expect")
    unknown = set(test["expect"]) - {*ACTIONS, "learn", "matched"}
    if unknown:
        raise RulesError(f"{location}: expect knows {', '.join(ACTIONS)}, learn, matched; not {unknown}")
    wrong = set(test.get("facts") or {}) - set(FIELDS)
    if wrong:
        raise RulesError(f"{location}: there is no fact {sorted(wrong)}; there are {', '.join(FIELDS)}")


def _find_differences(rules: RuleSet, test: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each expectation that the rules do not meet."""
    at = test.get("at") or "2026-01-01T12:00:00Z"
    moment = at if isinstance(at, dt.datetime) else dt.datetime.fromisoformat(str(at))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    context = build_rule_context(
        test.get("facts") or {}, test.get("slot"), moment, find_zone(test.get("timezone"))
    )
    outcome = rules.evaluate(context)
    decided: dict[str, Any] = {kind: value for kind, (value, _) in outcome.actions.items()}
    decided["learn"] = outcome.learn.id if outcome.learn else None
    decided["matched"] = list(outcome.matched)
    return [
        f"{name} is {decided.get(name)!r}, not {expected!r}"
        for name, expected in test["expect"].items()
        if decided.get(name) != expected
    ]
