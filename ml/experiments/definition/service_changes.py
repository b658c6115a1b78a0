"""What a variant changes in the service's answers; the rest of a payload is for whoever shows the variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ml.decisions.rules.rules import Rule

ASPECTS: tuple[str, ...] = ("model", "reranking", "rules", "content")
"""Keys of a payload that the service acts on, the fields of `ServiceChanges`."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RerankingChange(_Part):
    """Settings of `decisions.diversity` in place of those in settings.yaml; None leaves one as it is."""

    max_category_share: float | None = Field(default=None, gt=0, le=1)
    trade_off: float | None = Field(default=None, ge=0, le=1)
    calibration: float | None = Field(default=None, ge=0, le=1)
    exploration_share: float | None = Field(default=None, ge=0, le=0.5)
    exploration_max_openings: int | None = Field(default=None, ge=1)


class RuleChange(_Part):
    """Rules as rules.yaml has them: those left out, and those tried before the others of their priority."""

    without: tuple[str, ...] = ()
    added: tuple[Rule, ...] = Field(default=(), alias="with")


class ServiceChanges(_Part):
    """The part of a payload that the service acts on.

    model: whether the champion or the challenger that settings.yaml names ranks. content: what a decision shows,
    in place of what rules would.
    """

    model: Literal["champion", "challenger"] | None = None
    reranking: RerankingChange | None = None
    rules: RuleChange | None = None
    content: str | None = None


def parse_service_changes(payload: Mapping[str, Any]) -> ServiceChanges:
    """Read the service's part of a payload; raises pydantic's ValidationError where it is wrong."""
    return ServiceChanges.model_validate({name: payload[name] for name in ASPECTS if name in payload})
