"""Situations written beside the rules, and what must come out of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.decisions.rules.dayparts import WEEKDAYS, season
from ml.decisions.rules.rules import ACTIONS, FIELDS, Moment, RulesError, load_rules
from ml.expressions.language import FieldType
from ml.local_clock import zone
from ml.site.yaml_lines import read_yaml

LEGAL = {"name", "slot", "at", "timezone", "facts", "expect"}


@dataclass(frozen=True)
class RuleTest:
    """A test and what was wrong, None if nothing was."""

    name: str
    problem: str | None


def run_rule_tests(path: Path) -> list[RuleTest]:
    """Run the `tests:` of a rules file.

    Raises:
        RulesError: the rules or a test cannot be read.
    """
    rules = load_rules(path)
    if not path.exists():
        return []
    document, lines = read_yaml(path)
    results = []
    for number, test in enumerate((document or {}).get("tests") or []):
        line = lines.find(("tests", number))
        if not isinstance(test, dict) or set(test) - LEGAL or "expect" not in test:
            raise RulesError(f"{path}:{line}: a test has {', '.join(sorted(LEGAL))}, and needs expect")
        unknown = set(test["expect"]) - {*ACTIONS, "learn", "matched"}
        if unknown:
            raise RulesError(f"{path}:{line}: expect knows {', '.join(ACTIONS)}, learn, matched; not {unknown}")
        wrong = set(test.get("facts") or {}) - set(FIELDS)
        if wrong:
            raise RulesError(f"{path}:{line}: there is no fact {sorted(wrong)}; there are {', '.join(FIELDS)}")
        at = test.get("at") or "2026-01-01T12:00:00Z"
        when = at if isinstance(at, dt.datetime) else dt.datetime.fromisoformat(str(at))
        when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
        moment = moment_of(test.get("facts") or {}, test.get("slot"), when, zone(test.get("timezone")))
        applied = rules.apply(moment)
        found: dict[str, Any] = {kind: value for kind, (value, _) in applied.actions.items()}
        found["learn"] = applied.learn.id if applied.learn else None
        found["matched"] = list(applied.matched)
        off = [
            f"{name} is {found.get(name)!r}, not {wanted!r}"
            for name, wanted in test["expect"].items()
            if found.get(name) != wanted
        ]
        results.append(RuleTest(str(test.get("name", f"test {number + 1}")), "; ".join(off) or None))
    return results


def moment_of(facts: Mapping[str, Any], slot: str | None, at: dt.datetime, timezone: dt.tzinfo) -> Moment:
    """A situation from the facts that are given; local time facts follow from the moment unless given."""
    local = at.astimezone(timezone)
    known: dict[str, Any] = {
        "local.hour": local.hour + local.minute / 60,
        "local.weekday": WEEKDAYS[local.weekday()],
        "local.is_weekend": local.weekday() >= 5,
        "local.season": season(local.month, str(facts["country"]) if "country" in facts else None),
        "slot": slot,
        **facts,
    }
    typed = {
        name: float(value) if FIELDS.get(name) is FieldType.NUMBER and isinstance(value, int) else value
        for name, value in known.items()
        if value is not None
    }
    return Moment(typed, at, local, slot, {})
