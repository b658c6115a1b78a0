"""What a variant changes in the service's answers; the rest of a payload is for whoever shows the variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ml.decisions.rules.rules import DisplayRule

ASPECTS: tuple[str, ...] = ("model", "reranking", "rules", "content")
"""Keys of a payload that the service acts on: the fields of `ServiceChanges`."""


class _Part(BaseModel):
    """Base class of the parts of a payload."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RerankingChange(_Part):
    """Settings that replace those of `decisions.diversity`; None leaves a setting unchanged."""

    max_category_share: float | None = Field(default=None, gt=0, le=1)
    trade_off: float | None = Field(default=None, ge=0, le=1)
    calibration: float | None = Field(default=None, ge=0, le=1)
    exploration_share: float | None = Field(default=None, ge=0, le=0.5)
    exploration_max_openings: int | None = Field(default=None, ge=1)


class RuleChange(_Part):
    """Changes to the rules of rules.yaml: rules to omit, and rules to try before others of the same priority."""

    without: tuple[str, ...] = ()
    added: tuple[DisplayRule, ...] = Field(default=(), alias="with")


class ServiceChanges(_Part):
    """The part of a payload that the service acts on.

    Attributes:
        model: whether the champion or the challenger named in settings.yaml ranks.
        reranking: changed settings of the reranking.
        rules: changed rules.
        content: content that a decision shows instead of what the rules choose.
    """

    model: Literal["champion", "challenger"] | None = None
    reranking: RerankingChange | None = None
    rules: RuleChange | None = None
    content: str | None = None


def parse_service_changes(payload: Mapping[str, Any]) -> ServiceChanges:
    """Parse the service's part of a payload; raises pydantic's ValidationError if it is not valid."""
    return ServiceChanges.model_validate({name: payload[name] for name in ASPECTS if name in payload})
