"""Whom an experiment is for: expressions of `ml.expressions` over what is known of a unit when it asks."""

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
        "is_known": FieldType.BOOLEAN,
        "category_shares": FieldType.MAP,
    }
)
"""What an assignment's context may hold. All of it was so before the exposure, else targeting would bias the test.
"""

_LEGAL: Mapping[FieldType, type | tuple[type, ...]] = MappingProxyType(
    {FieldType.TEXT: str, FieldType.BOOLEAN: bool, FieldType.NUMBER: (int, float), FieldType.MAP: Mapping}
)


@lru_cache(maxsize=1024)
def compile_targeting(text: str) -> Expression:
    """Compile a condition once; raises `ml.expressions.ExpressionError` with the place and the legal names."""
    return compile_expression(text, TARGETING_FIELDS)


def build_targeting_context(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that conditions may ask about, each of its field's type; anything else is left out.

    Numbers and truths may come as text, as those of a query string do.
    """
    found = {name: _typed(facts[name], type_) for name, type_ in TARGETING_FIELDS.items() if name in facts}
    return {name: value for name, value in found.items() if value is not None}


def _typed(value: Any, type_: FieldType) -> Any:
    if isinstance(value, str) and type_ is FieldType.BOOLEAN:
        return {"true": True, "false": False}.get(value)
    if isinstance(value, str) and type_ is FieldType.NUMBER:
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, _LEGAL[type_]) else None
