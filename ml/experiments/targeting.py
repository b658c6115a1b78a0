"""Whom an experiment is for: expressions of `ml.expressions` over what is known of a unit when it asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from ml.expressions import Expression, FieldType, compile_expression

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


@lru_cache(maxsize=1024)
def compile_targeting(text: str) -> Expression:
    """Compile a condition once; raises `ml.expressions.ExpressionError` with the place and the legal names."""
    return compile_expression(text, TARGETING_FIELDS)
