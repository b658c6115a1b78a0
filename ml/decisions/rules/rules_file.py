"""Reads and checks `rules.yaml`. Every fault is reported with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ml.decisions.rules.rule_set import NO_RULES, CompiledRule, RuleSet, compile_rule
from ml.decisions.rules.rules import DisplayRule
from ml.errors import TesseraError
from ml.expressions.language import ExpressionError
from ml.site.yaml_lines import LineNumbers, YamlError, parse_yaml, read_yaml


class RulesError(TesseraError, ValueError):
    """The rules cannot be used. The message names the file, the line, the rule and what is legal."""


def load_rules(path: Path, text: str | None = None) -> RuleSet:
    """Read and check a rules file; a missing file means no rules.

    Args:
        path: The file.
        text: Its content, where that is not written yet.

    Raises:
        RulesError: The file is no YAML, or a rule is wrong.
    """
    if text is None and not path.exists():
        return NO_RULES
    try:
        document, lines = read_yaml(path) if text is None else parse_yaml(text)
    except YamlError as error:
        raise RulesError(f"{path}:{error.line}: {error}") from None
    if document is None:
        return NO_RULES
    if not isinstance(document, dict) or set(document) - {"rules", "tests"} or "rules" not in document:
        raise RulesError(f"{path}:1: expected `rules:` with a list below it, and `tests:` if you like")
    entries = document["rules"] or []
    if not isinstance(entries, list):
        raise RulesError(f"{path}:{lines.find(('rules',))}: `rules` must be a list")
    line_of_id: dict[str, int] = {}
    rules: list[CompiledRule] = []
    for number, entry in enumerate(entries):
        compiled = _compile_entry(path, lines, number, entry)
        rule_id = compiled.rule.id
        if rule_id in line_of_id:
            raise RulesError(
                f"{path}:{compiled.line}: rule {rule_id} stands here again, first on line {line_of_id[rule_id]}"
            )
        line_of_id[rule_id] = compiled.line
        rules.append(compiled)
    return RuleSet(rules)


def _compile_entry(path: Path, lines: LineNumbers, number: int, entry: Any) -> CompiledRule:
    line = lines.find(("rules", number))
    try:
        rule = DisplayRule.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        fault_line = lines.find(("rules", number, *first["loc"]))
        name = entry.get("id", f"number {number + 1}") if isinstance(entry, dict) else f"number {number + 1}"
        field = ".".join(str(part) for part in first["loc"]) or "rule"
        message = first["msg"].removeprefix("Value error, ")
        raise RulesError(
            f"{path}:{fault_line}: rule {name}: {field}: {message} (found {first['input']!r})"
        ) from None
    try:
        return compile_rule(rule, line)
    except ExpressionError as error:
        fault_line = lines.find(("rules", number, "when")) + error.line - 1
        raise RulesError(f"{path}:{fault_line}: rule {rule.id}: when: {error}") from None
