"""Read the settings of a site: its files, layered over the defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ml.errors import TesseraError
from ml.home import Home
from ml.settings.knobs import all_knobs, section_type, suggestion
from ml.settings.section import Section
from ml.settings.sections import Settings
from ml.site.definition_files import SETTINGS, SIMULATOR, definition_file, editable_path, product_config
from ml.site.yaml_lines import LineNumbers, Location, YamlError, parse_yaml, read_yaml

SIMULATOR_SECTION = "simulator"
_KINDS = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list such as [a, b]"),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), "a section with lines such as `name: value`"),
    "string_type": "text",
}
"""What a value must be, by the type of pydantic's fault."""
_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s]*@")
"""A user and a password in an address."""


class SettingsError(TesseraError, ValueError):
    """The settings cannot be used; the message names the file, the line, the knob and the legal values."""


@dataclass(frozen=True)
class SettingsFile:
    """Content of a file of settings, before its knobs are checked.

    Attributes:
        path: Path of the file.
        content: The sections.
        lines: The line of each knob.
        section: The section that the file holds; empty for a file that holds all.
        is_draft: Whether it is not written yet, so that its lines cannot be looked up.
    """

    path: Path
    content: Mapping[str, Any]
    lines: LineNumbers
    section: str = ""
    is_draft: bool = False

    def line(self, location: Location) -> int | None:
        """Return the line of a knob, or None if the file does not name it."""
        if self.section:
            if location[:1] != (self.section,):
                return None
            location = location[1:]
        return self.lines.find(location) if location in self.lines else None


@dataclass(frozen=True)
class LoadedSettings:
    """Settings, and the origin of those that differ from the defaults.

    Attributes:
        settings: The settings.
        origins: `file:line` by the name of each knob that a file sets.
    """

    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)


def load_settings(file: Path | None = None) -> Settings:
    """Read and check one file of settings.

    Args:
        file: The file; the one that comes with the product if absent.

    Raises:
        SettingsError: The file is missing, is no YAML mapping, or a knob is unknown or has an illegal value.
    """
    return combine_settings([read_settings_file(file or product_config() / SETTINGS)]).settings


def load_site_settings(home: Home) -> LoadedSettings:
    """Read and check the settings of the home's site.

    Raises:
        SettingsError: A file is no YAML mapping, or a knob is unknown or has an illegal value.
    """
    return combine_settings(site_settings_files(home))


def site_settings_files(home: Home, drafts: Mapping[str, str] | None = None) -> list[SettingsFile]:
    """Read the files of settings of the home's site, in increasing order of precedence.

    Args:
        home: The home, which knows its site.
        drafts: Texts that are to become definition files, by the file's name, and are read in place of those in
            force.

    Raises:
        SettingsError: A file is no YAML mapping, or there is no file of settings.
    """
    files = []
    for name, section in ((SIMULATOR, SIMULATOR_SECTION), (SETTINGS, "")):
        draft = (drafts or {}).get(name)
        path = definition_file(home, name) if draft is None else editable_path(home, name)
        if name == SETTINGS or draft is not None or path.exists():
            files.append(read_settings_file(path, draft, section))
    return files


def read_settings_file(path: Path, text: str | None = None, section: str = "") -> SettingsFile:
    """Read a file of settings, without a check of its knobs.

    Args:
        path: The file.
        text: Its content; read from the file if absent.
        section: The section that the file holds.

    Raises:
        SettingsError: The file is missing or is no YAML mapping.
    """
    try:
        content, lines = read_yaml(path) if text is None else parse_yaml(text)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such settings file") from None
    except YamlError as error:
        raise SettingsError(f"{path}:{error.line}: {error}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected sections such as `ports:`, not {type(content).__name__}")
    return SettingsFile(path, content, lines, section, is_draft=text is not None)


def combine_settings(files: list[SettingsFile]) -> LoadedSettings:
    """Combine the settings of several files with the defaults; a later file overrides an earlier one.

    Raises:
        SettingsError: A knob is unknown or has an illegal value; the message has every fault with its line.
    """
    content: dict[str, Any] = {}
    for settings_file in files:
        layer = settings_file.content
        content = _merge_layers(
            content, {settings_file.section: layer} if settings_file.section else layer, Settings
        )
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        faults = sorted((_locate_fault(detail, files) for detail in error.errors()), key=lambda fault: fault[:2])
        raise SettingsError("\n".join(message for _, _, message in faults)) from error
    origins: dict[str, str] = {}
    for name in (knob.name for knob in all_knobs()):
        for settings_file in files:
            line = settings_file.line(tuple(name.split(".")))
            if line is not None:
                origins[name] = f"{settings_file.path}:{line}"
    return LoadedSettings(settings, origins)


def _merge_layers(below: Mapping[str, Any], above: Mapping[str, Any], section: type[Section]) -> dict[str, Any]:
    """Merge two layers knob by knob; `above` wins where both set a knob."""
    merged = dict(below)
    for name, value in above.items():
        part = section_type(section.model_fields[name].annotation) if name in section.model_fields else None
        is_section = isinstance(value, dict) or value is None  # a section whose knobs are all comments is None
        if part is not None and is_section and isinstance(below.get(name, {}), dict):
            merged[name] = _merge_layers(below.get(name, {}), value or {}, part)
        else:
            merged[name] = value
    return merged


def _locate_fault(detail: ErrorDetails, files: list[SettingsFile]) -> tuple[Path, int, str]:
    """The file and line of a fault, and the message: both, the knob, and what is wrong with it."""
    location: Location = tuple(detail["loc"])
    name = ".".join(str(part) for part in location)
    path, line = _locate(location, files)
    place = f"{path}:{line}" if line else f"{path}"
    return path, line, ": ".join(part for part in (place, name, _describe_fault(detail, name)) if part)


def _locate(location: Location, files: list[SettingsFile]) -> tuple[Path, int]:
    """File and line of a knob, or of the nearest section that a file names; line 0 where all are concerned."""
    for depth in range(len(location), 0, -1):
        for settings_file in reversed(files):
            line = settings_file.line(location[:depth])
            if line is not None:
                return settings_file.path, 0 if settings_file.is_draft else line
    return files[-1].path, 0


def _describe_fault(detail: ErrorDetails, name: str) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        legal = _entry_fields(tuple(detail["loc"]))
        return (
            f"there is no such field; legal: {', '.join(legal)}"
            if legal
            else f"there is no such setting{suggestion(name)}"
        )
    if kind == "missing":
        return "is required"
    if kind == "literal_error":
        return f"must be {detail['ctx']['expected']}, not {_quote(value)}"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {_quote(value)}"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "must")
    return message if isinstance(value, dict) else f"{message}, not {_quote(value)}"


def _quote(value: Any) -> str:
    """A refused value as a message shows it: without the password of an address."""
    return "null" if value is None else _PASSWORD.sub(r"\1:***@", repr(value))


def _entry_fields(location: Location) -> list[str]:
    """Fields of the entries of a knob whose value is a list or mapping of models, where the location is in one."""
    section: type[Section] = Settings
    for depth, part in enumerate(location[:-1]):
        annotation = section.model_fields[str(part)].annotation if part in section.model_fields else None
        inner = section_type(annotation)
        if inner is None:
            entry = _entry_model(annotation)
            return list(entry.model_fields) if entry and depth + 2 < len(location) else []
        section = inner
    return []


def _entry_model(annotation: Any) -> type[Section] | None:
    """The model of the entries of a list or mapping; None where they are no models."""
    if section_type(annotation) is not None:
        return section_type(annotation)
    models = (_entry_model(part) for part in get_args(annotation))
    return next((model for model in models if model is not None), None)
