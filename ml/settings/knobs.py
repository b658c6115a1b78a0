"""Every knob of the settings with its default, unit, reason and legal values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from ml.errors import TesseraError
from ml.settings.section import Section
from ml.settings.sections import Settings

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


@dataclass(frozen=True)
class Knob:
    """One knob.

    Attributes:
        name: Section and name, such as `serving.state.engine`.
        default: The value where nobody sets another.
        unit: The unit of the value; empty for what has none.
        reason: What the knob does, and why the default is what it is.
        legal: The legal values in words.
        annotation: The type of the value.
    """

    name: str
    default: Any
    unit: str
    reason: str
    legal: str
    annotation: Any

    @property
    def section(self) -> str:
        """The section that the knob stands in, such as `serving.state`."""
        return self.name.rpartition(".")[0]


class UnknownKnobError(TesseraError, ValueError):
    """No knob or section has this name."""


def all_knobs(section: type[Section] = Settings, prefix: str = "") -> Iterator[Knob]:
    """The knobs of a section and of the sections inside it, in the order of their declaration."""
    for name, field in section.model_fields.items():
        part = section_type(field.annotation)
        if part is not None:
            yield from all_knobs(part, f"{prefix}{name}.")
        else:
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            yield Knob(
                name=prefix + name,
                default=field.get_default(),
                unit=str(extra.get("unit", "")),
                reason=field.description or "",
                legal=_describe_legal_values(field),
                annotation=field.annotation,
            )


def find_knob(name: str) -> Knob:
    """The knob of this name.

    Raises:
        UnknownKnobError: There is none; the message names the nearest ones.
    """
    for knob in all_knobs():
        if knob.name == name:
            return knob
    raise UnknownKnobError(f"{name}: there is no such setting{suggestion(name)}")


def select_knobs(name: str | None) -> list[Knob]:
    """The knob of this name, or all knobs of the section of this name; all there are for None.

    Raises:
        UnknownKnobError: There is neither; the message names the nearest ones.
    """
    if name is None:
        return list(all_knobs())
    knobs = [knob for knob in all_knobs() if knob.name == name or knob.name.startswith(f"{name}.")]
    if not knobs:
        raise UnknownKnobError(f"{name}: there is no such setting or section{suggestion(name)}")
    return knobs


def suggestion(name: str) -> str:
    """The end of a message about a name that does not exist: `; did you mean …?`, or nothing.

    Args:
        name: The whole name, such as `port.dagster`. Names that are spelled alike are suggested first, then knobs
            of the same last part in other sections.
    """
    names = [knob.name for knob in all_knobs()]
    sections = {
        full_name.rsplit(".", depth)[0] for full_name in names for depth in range(1, full_name.count(".") + 1)
    }
    section, _, last = name.rpartition(".")
    siblings = {
        full_name.rpartition(".")[2]: full_name
        for full_name in (*names, *sorted(sections))
        if full_name.rpartition(".")[0] == section
    }
    alike = [siblings[match] for match in get_close_matches(last, siblings)]
    elsewhere = [full_name for full_name in names if full_name.rpartition(".")[2] == last]
    nearest = [*alike, *elsewhere][:3] or get_close_matches(name, names)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""


def knob_value(settings: Settings, name: str) -> Any:
    """The value of the knob of this name."""
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def section_type(annotation: Any) -> type[Section] | None:
    """The type of a field that is a section of its own; None for the type of a knob."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def _describe_legal_values(field: FieldInfo) -> str:
    """The legal values of a field in words; empty where every value of the type is legal."""
    annotation = field.annotation
    choices = [str(choice) for part in (annotation, *get_args(annotation)) for choice in _choices(part)]
    if choices:
        return ", ".join(dict.fromkeys(choices))
    if annotation is bool:
        return "true, false"
    bounds = [
        f"{words} {getattr(constraint, bound):g}"
        for constraint in field.metadata
        for bound, words in _BOUNDS.items()
        if hasattr(constraint, bound)
    ]
    return " and ".join(bounds)


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()
