"""The small YAML file that says how the columns of a file become the fields of an event or an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ml.events.contract import CUSTOM_PREFIX, EVENT_TYPES, FIELD_NAMES
from ml.events.normalization.event_names import normalize_event_type
from ml.site.yaml_lines import YamlError, read_yaml
from ml.sources.catalogue import ITEM_SCHEMA
from ml.sources.source import SourceError
from ml.tables.layouts import FileLayout

ITEM_FIELDS = tuple(name for name in ITEM_SCHEMA.names if name != "updated_at")
KINDS = {str: "text", list: "a list", type(None): "nothing"}  # what a YAML file holds that is not a mapping


class Rule(BaseModel):
    """Where one field comes from: a column, several columns joined, or one value for every row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = Field(
        None, description="name of the column; in JSON Lines `outer.inner` for nested fields"
    )
    columns: tuple[str, ...] = Field(
        (),
        description="columns joined by `-`, a date and a time by a blank; or feature columns of an item",
    )
    value: str | float | None = Field(None, description="the same value for every row")
    words: Mapping[str, str] | None = Field(
        None, description="translation of the column's values; others are null"
    )
    unit: Literal["s", "ms", "us", "ns"] | None = Field(None, description="of a time given as a number since 1970")
    format: str | None = Field(None, description="strptime format of a time given as text, if not ISO 8601")
    timezone: str = Field("UTC", description="IANA zone of times that name none")
    factor: float = Field(1.0, description="the number is multiplied by it, such as 0.01 for cents")
    decimal: Literal[".", ","] | None = Field(
        None, description="decimal mark of the numbers, where it cannot be seen from each of them"
    )
    times: str | None = Field(
        None, description="name of a column that the number is multiplied by, such as a quantity"
    )
    of_types: tuple[str, ...] = Field(
        (), description="types of event that have the field, such as `[purchase]`; other rows have none"
    )
    split: str | None = Field(None, description="separator of a list in one cell")

    @model_validator(mode="after")
    def _one_origin(self) -> Rule:
        if sum((self.column is not None, bool(self.columns), self.value is not None)) != 1:
            raise ValueError("needs exactly one of column, columns, value")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """Columns of the file that the rule reads."""
        columns = (self.column,) if self.column is not None else self.columns
        return columns if self.times is None else (*columns, self.times)


class FileLayoutRule(BaseModel):
    """How a text table is laid out, where the file does not say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delimiter: str | None = Field(
        None, min_length=1, description="what stands between two cells, such as `::`; `whitespace` for blanks"
    )
    columns: tuple[str, ...] = Field((), description="names of the columns of a file without a header")
    encoding: str | None = Field(None, description="encoding such as `latin-1`, where it cannot be detected")

    def layout(self) -> FileLayout:
        """The layout, for the readers."""
        return FileLayout(self.delimiter, self.columns, self.encoding)


class FileMapping(BaseModel):
    """A whole mapping file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: Mapping[str, Rule]
    items: Mapping[str, Rule] = {}
    properties: Literal["keep", "drop"] | Mapping[str, str] = "keep"
    file: FileLayout | None = None

    def origins(self) -> tuple[str, ...]:
        """Columns that the file must have."""
        rules = [*self.fields.values(), *self.items.values()]
        listed = self.properties.values() if isinstance(self.properties, Mapping) else ()
        return tuple(dict.fromkeys([*(name for rule in rules for name in rule.origins), *listed]))


def load_mapping(path: Path) -> FileMapping:
    """Read and check a mapping file.

    Raises:
        SourceError: It is missing, is no YAML mapping, names a field or a type that the contract does not have, or
            lacks a field without which no row can become an event.
    """
    try:
        content, _ = read_yaml(path)
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such mapping file. Check --mapping") from None
    except YamlError as error:
        raise SourceError(f"{path}:{error.line}: {error}") from error
    if not isinstance(content, dict):
        kind = KINDS.get(type(content), "a number")
        raise SourceError(f"{path}: expected lines such as `user_id: customer`, found {kind}")
    try:
        return parse_mapping(content)
    except ValidationError as error:
        raise SourceError(f"{path}: {'; '.join(map(_describe_error, error.errors()))}") from error
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error


def parse_mapping(content: Mapping[str, Any]) -> FileMapping:
    """A mapping from what YAML gives: contract fields, and the keys `properties`, `items` and `file`.

    Raises:
        ValueError: A field or a type is not part of the contract, a rule is wrong, or a required field is missing.
    """
    rest = dict(content)
    items = rest.pop("items", None) or {}
    properties = rest.pop("properties", "keep")
    if isinstance(properties, list):
        properties = {name: name for name in properties}
    layout = rest.pop("file", None)
    _check_names(rest, FIELD_NAMES, "event")
    _check_names(items, ITEM_FIELDS, "item")
    mapping = FileMapping.model_validate(
        {
            "fields": {name: _rule(rule) for name, rule in rest.items()},
            "items": {name: _rule(rule) for name, rule in items.items()},
            "properties": properties,
            "file": None if layout is None else FileLayoutRule.model_validate(layout).layout(),
        }
    )
    if mapping.fields or not mapping.items:
        _check_events(mapping.fields)
    for name in ("event_type", "occurred_at", "user_id", "anonymous_id"):
        if name in mapping.fields and mapping.fields[name].of_types:
            raise ValueError(f"{name}: every event needs it, so it cannot be of some types alone")
    return mapping


def load_rule(rule: Any) -> Rule:
    """One rule from what YAML gives for a field.

    Raises:
        ValueError: It is no rule.
    """
    return Rule.model_validate(_rule(rule))


def describe_missing_columns(mapping: FileMapping, missing: Sequence[str], columns: Sequence[str]) -> str:
    """Say what may be meant by names that the mapping gives as columns and that the file does not have.

    A name is another spelling of a column, or it is meant as a value, as in `event_type: page_view`.

    Args:
        mapping: The mapping that names the columns.
        missing: Names of the columns that the file lacks.
        columns: Names of the columns that the file has.
    """
    fields = {**mapping.items, **mapping.fields}
    hints = []
    for name in missing:
        near = get_close_matches(name, columns, 1)
        field = next((field for field, rule in fields.items() if rule.column == name), None)
        is_type = field == "event_type" and normalize_event_type(name) in EVENT_TYPES
        if near and not is_type:
            hints.append(f"Did you mean {near[0]!r}?")
        elif field is not None:
            hints.append(f"If {name!r} is the value of every row, write `{field}: {{value: {name}}}`")
    return ". ".join(hints).replace("?. ", "? ") or "Change the mapping"


def _check_names(rules: Mapping[str, Any], legal: tuple[str, ...], what: str) -> None:
    unknown = [name for name in rules if name not in legal]
    if unknown:
        near = get_close_matches(unknown[0], legal, 1)
        hint = f". Did you mean {near[0]}?" if near else f". Legal: {', '.join(legal)}"
        raise ValueError(f"{', '.join(unknown)} is not a field of an {what}{hint}")


def _check_events(fields: Mapping[str, Rule]) -> None:
    """Check that rows can become events: the required fields are there, and constant types exist.

    Raises:
        ValueError: They cannot.
    """
    missing = [
        example
        for names, example in (
            (("event_type",), "`event_type: {value: page_view}`"),
            (("occurred_at",), "`occurred_at: COLUMN`"),
            (("user_id", "anonymous_id"), "`user_id: COLUMN` or `anonymous_id: COLUMN`"),
        )
        if not fields.keys() & set(names)
    ]
    if missing:
        raise ValueError(f"no row can become an event without a line such as {', and one such as '.join(missing)}")
    for kind in _types_of(fields["event_type"]):
        if kind not in EVENT_TYPES and not (kind.startswith(CUSTOM_PREFIX) and kind != CUSTOM_PREFIX):
            near = get_close_matches(kind, EVENT_TYPES, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Legal: {', '.join(EVENT_TYPES)}"
            raise ValueError(
                f"event_type: {kind!r} is not a type of the event contract. {hint} A type of your own is written "
                f"{CUSTOM_PREFIX}NAME"
            )


def _types_of(rule: Rule) -> Iterator[str]:
    """The types of events that a rule names itself."""
    if rule.value is not None:
        yield normalize_event_type(str(rule.value))
    yield from map(normalize_event_type, (rule.words or {}).values())


def _rule(rule: Any) -> Any:
    if isinstance(rule, str):
        return {"column": rule}
    return {"columns": rule} if isinstance(rule, list) else rule


def _describe_error(detail: ErrorDetails) -> str:
    """Describe a fault of a mapping file with its place and, for an unknown key, the legal ones."""
    place = ".".join(map(str, detail["loc"][1:] or detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"{place}: there is no such key. Legal: {', '.join(Rule.model_fields)}"
    return f"{place}: {detail['msg'].removeprefix('Value error, ')}"
