"""Adds a rule to the text of a rules file, and keeps what else stands there, comments included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ml.settings.changes import end_of_value

RULES = "rules"


def append_rule(text: str, entry: Mapping[str, Any]) -> str:
    """Return the text of a rules file with a rule behind the others.

    Args:
        text: A mapping with a list `rules`, which may be missing or empty.
        entry: The rule as plain data.

    Raises:
        yaml.YAMLError: The text is no YAML.
    """
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = document.value if isinstance(document, yaml.MappingNode) else []
    rules = next(((key, node) for key, node in pairs if key.value == RULES), None)
    if rules is None:
        return f"{RULES}:\n{_format_entry(entry, 2)}{text}"
    key, node = rules
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        end = max(node.end_mark.index, key.end_mark.index + 1)
        return f"{text[: key.end_mark.index]}:\n{_format_entry(entry, 2)}{text[end:].lstrip(' ')}"
    if node.flow_style:
        flow = yaml.safe_load(text[node.start_mark.index : node.end_mark.index])
        whole = yaml.safe_dump([*flow, dict(entry)], default_flow_style=True, allow_unicode=True, width=10_000)
        return text[: node.start_mark.index] + whole.rstrip() + text[node.end_mark.index :]
    end = text.find("\n", end_of_value(node.value[-1]))
    before, after = (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    gap = "" if before.endswith("\n") else "\n"
    return f"{before}{gap}\n{_format_entry(entry, node.start_mark.column)}{after}"


def _format_entry(entry: Mapping[str, Any], column: int) -> str:
    """Return the lines of a rule, whose dash stands in a column."""
    lines = yaml.safe_dump(dict(entry), sort_keys=False, allow_unicode=True, width=10_000).splitlines()
    indented = [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]
    return "".join(f"{' ' * column}{line}\n" for line in indented)
