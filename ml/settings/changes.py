"""Change knobs in a file of settings and keep the rest of its text, comments included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ml.home import Home
from ml.settings.knobs import Knob, find_knob
from ml.settings.settings_files import (
    SIMULATOR_SECTION,
    SettingsError,
    combine_settings,
    site_settings_files,
)
from ml.site.definition_files import SETTINGS, SIMULATOR, editable_path, text_in_force
from ml.site.file_drafts import FileDraft

INDENT = "  "


def set_knobs(home: Home, changes: Mapping[str, str]) -> dict[str, Path]:
    """Check new values of knobs and write them into the settings of the home's site.

    Args:
        home: The home, which knows its site.
        changes: The value of each knob; see `draft_knobs`.

    Returns:
        The file that each knob was written to, by the knob's name.

    Raises:
        UnknownKnobError: There is no such setting.
        SettingsError: A value is not legal. No file is changed then.
    """
    drafts = draft_knobs(home, changes)
    for draft in {draft.path: draft for draft in drafts.values()}.values():
        draft.write()
    return {name: draft.path for name, draft in drafts.items()}


def draft_knobs(home: Home, changes: Mapping[str, str]) -> dict[str, FileDraft]:
    """Check new values of knobs, and return the file that each goes to as it would be, by the knob's name.

    Args:
        home: The home, which knows its site.
        changes: The value of each knob as YAML, by the knob's name, such as `ports.dagster`. The value of a knob
            that is a text is taken as it is.

    Raises:
        UnknownKnobError: There is no such setting.
        SettingsError: A value is not legal.
    """
    in_settings = site_settings_files(home)[-1]
    names: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, text in changes.items():
        value = _parse_value(find_knob(name), text)
        is_simulator = (
            name.startswith(f"{SIMULATOR_SECTION}.") and in_settings.line(tuple(name.split("."))) is None
        )
        file_name = SIMULATOR if is_simulator else SETTINGS
        path = name.removeprefix(f"{SIMULATOR_SECTION}.") if is_simulator else name
        texts[file_name] = change_text(texts.get(file_name) or text_in_force(home, file_name), path, value)
        names[name] = file_name
    combine_settings(site_settings_files(home, texts))
    drafts = {
        name: FileDraft(editable_path(home, name), text_in_force(home, name), text) for name, text in texts.items()
    }
    return {name: drafts[file_name] for name, file_name in names.items()}


def change_text(text: str, name: str, value: Any) -> str:
    """The text of a YAML document of nested sections with another value of one knob.

    Args:
        text: The document: a mapping, or nothing but comments.
        name: The knob, its parts separated by dots.
        value: The value; numbers, texts, lists and mappings.
    """
    parts = name.split(".")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None or _is_null(node):
        return _end_line(text) + _format_block(parts, value, "")
    return _change_node(text, node, parts, value)


def _change_node(text: str, node: yaml.Node, parts: list[str], value: Any) -> str:
    """The text with another value of what the parts name below a node of it."""
    if not isinstance(node, yaml.MappingNode):
        raise SettingsError(f"line {node.start_mark.line + 1}: expected a section with {parts[0]}, not a value")
    start, end = node.start_mark.index, node.end_mark.index
    if node.flow_style:
        return (
            text[:start]
            + to_flow_yaml(_change_mapping(yaml.safe_load(text[start:end]), parts, value))
            + text[end:]
        )
    entry = next(((key, child) for key, child in node.value if key.value == parts[0]), None)
    if entry is None:
        return _insert_entry(text, node, parts, value)
    key, child = entry
    if len(parts) == 1:
        return _replace_node(text, child, value)
    if _is_null(child):
        indent = " " * key.start_mark.column + INDENT
        return _insert_after_line(text, key.end_mark.index, _format_block(parts[1:], value, indent))
    return _change_node(text, child, parts[1:], value)


def _parse_value(knob: Knob, text: str) -> Any:
    if knob.annotation is str:
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{knob.name}: {text!r} is not a YAML value: {error}") from error


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _format_block(parts: list[str], value: Any, indent: str) -> str:
    """Lines of nested sections down to the knob."""
    lines = [f"{indent}{INDENT * depth}{part}:\n" for depth, part in enumerate(parts[:-1])]
    return "".join(lines) + f"{indent}{INDENT * (len(parts) - 1)}{parts[-1]}: {to_flow_yaml(value)}\n"


def to_flow_yaml(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def _change_mapping(content: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    """The mapping with another value below."""
    inner = value if len(parts) == 1 else _change_mapping(content.get(parts[0]) or {}, parts[1:], value)
    return {**content, parts[0]: inner}


def _replace_node(text: str, child: yaml.Node, value: Any) -> str:
    """The text with another value in place of a node."""
    start, end = child.start_mark.index, end_of_value(child)
    space = " " if start == end and text[start - 1] == ":" else ""
    return text[:start] + space + to_flow_yaml(value) + text[end:]


def end_of_value(node: yaml.Node) -> int:
    """Where the last character of a value stands; a block's own end mark is at the next key, behind comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return end_of_value(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return end_of_value(node.value[-1])
    return int(node.end_mark.index)


def _insert_entry(text: str, node: yaml.MappingNode, parts: list[str], value: Any) -> str:
    """The text with a new entry in a block: at the end of the document, or before the first entry of a section."""
    first = node.value[0][0].start_mark
    lines = _format_block(parts, value, " " * first.column)
    if first.column == 0:
        return _end_line(text) + lines
    start = first.index - first.column
    return text[:start] + lines + text[start:]


def _insert_after_line(text: str, index: int, lines: str) -> str:
    """The text with lines behind the line in which a character stands."""
    end = text.find("\n", index)
    return _end_line(text) + lines if end < 0 else text[: end + 1] + lines + text[end + 1 :]


def _end_line(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
