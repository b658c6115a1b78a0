"""Targeting conditions: expressions over what is known about a unit when it is assigned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ml.expressions.language import Expression, FieldType, compile_expression

TARGETING_FIELDS: Mapping[str, FieldType] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "segment",
                "persona",
                "engagement_class",
                "daypart",
                "device_type",
                "os",
                "browser",
                "language",
                "timezone",
                "country",
                "region",
                "city",
                "network_type",
                "channel",
                "slot",
                "top_category",
            ),
            FieldType.TEXT,
        ),
        **dict.fromkeys(
            ("tenure_days", "recency_days", "sessions", "active_days", "page_views", "purchases", "revenue"),
            FieldType.NUMBER,
        ),
        **dict.fromkeys(("intent.convert", "intent.leave", "intent.return"), FieldType.NUMBER),
        "is_known": FieldType.BOOLEAN,
        "category_shares": FieldType.MAP,
    }
)
"""Fields of an assignment's context. They describe the unit before its exposure, so targeting causes no bias."""

_LEGAL: Mapping[FieldType, type | tuple[type, ...]] = MappingProxyType(
    {FieldType.TEXT: str, FieldType.BOOLEAN: bool, FieldType.NUMBER: (int, float), FieldType.MAP: Mapping}
)


@lru_cache(maxsize=1024)
def compile_targeting(text: str) -> Expression:
    """Compile a condition, with a cache; raises ExpressionError with the place and the legal names."""
    return compile_expression(text, TARGETING_FIELDS)


def build_targeting_context(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Select the facts that conditions may read, each converted to the type of its field.

    Numbers and booleans may be given as text, as in a query string. Other facts are left out.
    """
    context = {name: _convert(facts[name], type_) for name, type_ in TARGETING_FIELDS.items() if name in facts}
    return {name: value for name, value in context.items() if value is not None}


def _convert(value: Any, type_: FieldType) -> Any:
    """Convert a value to a field's type, or return None if it does not have that type."""
    if isinstance(value, str) and type_ is FieldType.BOOLEAN:
        return {"true": True, "false": False}.get(value)
    if isinstance(value, str) and type_ is FieldType.NUMBER:
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, _LEGAL[type_]) else None
