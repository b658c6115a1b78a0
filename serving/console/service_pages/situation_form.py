"""Who and where somebody is supposed to be, as forms of the console ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving.console.localized_texts import say
from serving.console.page_parts import FormField
from serving.errors import ApiError
from serving.tessera import Tessera

DEVICES = [
    ("", say("Unknown")),
    ("desktop", say("Desktop")),
    ("mobile", say("Mobile")),
    ("tablet", say("Tablet")),
    ("tv", say("TV")),
]


def list_segments(tessera: Tessera) -> list[str]:
    """Return the names of the segments of the current bundle."""
    index = tessera.champion.index
    return sorted(index.segments) if index is not None else []


def situation_fields(
    query: Mapping[str, str], segments: Sequence[str], nobody: str, countries: Sequence[str]
) -> list[FormField]:
    """Return the fields of segment, country and device.

    Args:
        query: What was chosen before.
        segments: Names of the segments.
        nobody: How the choice of no segment is called.
        countries: Codes of the countries; the empty one stands for an unknown country.
    """
    return [
        FormField(
            "segment", "Segment", query.get("segment", ""), [("", nobody), *((name, name) for name in segments)]
        ),
        FormField(
            "country",
            "Country",
            query.get("country", ""),
            [("", say("Unknown")), *((name, name) for name in sorted(countries) if name)],
        ),
        FormField("device", "Device", query.get("device", ""), DEVICES),
    ]


def read_situation(query: Mapping[str, str]) -> dict[str, str]:
    """Return the country and the device that were chosen, as the context of a request.

    Raises:
        ApiError: 422, the device is none.
    """
    device = query.get("device", "")
    if device not in dict(DEVICES):
        legal = ", ".join(name for name, _ in DEVICES if name)
        raise ApiError(422, f"device is {device[:40]!r}; it may be {legal}", "device")
    chosen = {"country": query.get("country", "")[:2].upper(), "device_type": device}
    return {name: value for name, value in chosen.items() if value}
