"""What the properties of control events may hold.

The service's state, the warehouse and publishing read consent, preferences and exposures. They rely on the types
below, so a record of another shape is rejected before it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Purpose = Literal["analytics", "personalization", "location"]
Hour = Annotated[float, Field(ge=0, le=24)]
Text = Annotated[str, Field(max_length=1_000)]
Texts = Annotated[list[Text], Field(max_length=1_000)]
Agreement = Annotated[
    bool, BeforeValidator(lambda value: value == "true" if value in ("true", "false") else value)
]


class ControlProperties(BaseModel):
    """Properties of one type of control event; properties that are not listed are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)


class WithdrawalProperties(ControlProperties):
    """Of `consent_withdrawn`: the purposes that are withdrawn, all of them where none is named."""

    purposes: list[Purpose] | None = None


class QuietHoursProperties(ControlProperties):
    """Local hours without campaigns."""

    start: Hour | None = Field(default=None, alias="from")
    end: Hour | None = Field(default=None, alias="to")


class PreferenceProperties(ControlProperties):
    """Of `preference`: what the person stated; null takes a statement back."""

    interests: Texts | None = None
    muted: Texts | None = None
    opt_out: bool | None = None
    item_impressions_per_day: Annotated[int, Field(ge=1, le=1000)] | None = None
    quiet_hours: QuietHoursProperties | None = None


class ExposureProperties(ControlProperties):
    """Of `exposure`: the unit that saw the variant."""

    unit_id: Text | None = None
    unit_type: Text | None = None
    segment: Text | None = None


class FeedbackProperties(ControlProperties):
    """Of `segment_feedback`: the segment, and whether the person agrees with it."""

    segment: Text | None = None
    agrees: Agreement | None = None


CONTROL_PROPERTIES: Mapping[str, type[ControlProperties]] = MappingProxyType(
    {
        "consent_withdrawn": WithdrawalProperties,
        "preference": PreferenceProperties,
        "exposure": ExposureProperties,
        "segment_feedback": FeedbackProperties,
    }
)


def find_control_fault(event_type: str, properties: str | bytes | None) -> tuple[str, str] | None:
    """Find what is wrong with the properties of a control event.

    Args:
        event_type: One of CONTROL_PROPERTIES.
        properties: JSON text of an object.

    Returns:
        The field at fault, such as `properties.purposes`, and the reason, or None if nothing is wrong.
    """
    if not properties:
        return None
    try:
        document: Any = orjson.loads(properties)
    except orjson.JSONDecodeError:
        return "properties", "is not a JSON object"
    if not isinstance(document, dict):
        return "properties", "is not a JSON object"
    try:
        CONTROL_PROPERTIES[event_type].model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(part for part in ("properties", *first["loc"]) if isinstance(part, str))
        return path, f"of {event_type}: {first['msg'][0].lower()}{first['msg'][1:]}"
    return None
