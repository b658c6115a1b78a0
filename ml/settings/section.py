"""The base of every section of the settings, and the knobs that a section consists of."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A group of knobs. It cannot be changed once it is read, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def knob(
    default: Any,
    reason: str,
    *,
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
) -> Any:
    """Declare one knob of a section.

    A declaration looks like this: `days: int = knob(30, "How long … is kept.", unit="days", ge=1)`.

    Args:
        default: The value where neither the site nor the product's own files set another.
        reason: What the knob does and why the default is what it is, in one or two sentences.
        unit: The unit of the value, "share" for a part of 1; empty for what has none.
        ge: The least legal value.
        gt: The legal values are above it.
        le: The largest legal value.
        lt: The legal values are below it.
        min_length: The least legal number of entries or characters.
        max_length: The largest legal number of entries or characters.

    Returns:
        The field with its default, as pydantic wants it.
    """
    return Field(
        default,
        description=reason,
        json_schema_extra={"unit": unit},
        ge=ge,
        gt=gt,
        le=le,
        lt=lt,
        min_length=min_length,
        max_length=max_length,
    )
