"""Logs answers as `served` events, and the exposures of experiments that had a part in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ml.decisions.activity.state_change import StateChange
from serving.context.request_situation import find_usable_facts
from serving.decide.decision_engine import SlotDecision
from serving.experiment.treatments import Treatment
from serving.recommend.recommendation import Recommendation
from serving.requests import DecisionRequest, RecommendationRequest
from serving.tessera import Tessera


def log_recommendation(
    tessera: Tessera,
    request: RecommendationRequest,
    at: float,
    recommendation: Recommendation,
    more: dict[str, Any],
) -> None:
    """Log what was recommended; `more` holds the ranker and the experiments."""
    items = recommendation.item_ids
    properties = {
        "items": items,
        "ranks": list(range(1, len(items) + 1)),
        "propensities": recommendation.propensities,
        "slot": request.slot,
        **more,
    }
    _log_served(tessera, request, at, recommendation.recommendation_id, properties, items)


def log_decision(
    tessera: Tessera, request: DecisionRequest, at: float, decision: SlotDecision, treatment: Treatment
) -> None:
    """Log what a slot was decided to show."""
    has_content = bool(decision.actions.get("content"))
    properties = {
        "items": [decision.actions["content"]] if has_content else [],
        "ranks": [1] if has_content else [],
        "propensities": [decision.propensity] if has_content else [],
        "model_version": tessera.champion.model_version,
        "slot": request.slot,
        "decision": decision.actions,
        "rules": decision.chosen_by,
        **({"campaign": decision.campaign} if decision.campaign is not None else {}),
        **({"experiments": treatment.variants()} if treatment.exposures else {}),
    }
    _log_served(tessera, request, at, decision.decision_id, properties, [], decision.campaign, decision.shown)


def log_exposures(tessera: Tessera, request: RecommendationRequest, treatment: Treatment, at: float) -> None:
    """Log the variants that are shown to their units for the first time."""
    if treatment.exposures and not request.is_suspected:
        segment = (find_usable_facts(tessera, request.keys) or {}).get("segment")
        events = tessera.treatment_assigner.new_exposure_events(request, treatment, segment, at)
        if events:
            tessera.log_soon(events)


def _log_served(
    tessera: Tessera,
    request: RecommendationRequest,
    at: float,
    answer_id: str,
    properties: dict[str, Any],
    items: Sequence[str],
    campaign: str | None = None,
    content: str | None = None,
) -> None:
    """Write the `served` event, and note the answer in the online state if it has a slot."""
    event: dict[str, Any] = {
        "event_type": "served",
        "occurred_at": at,
        "recommendation_id": answer_id,
        "properties": properties,
    }
    for name in ("user_id", "anonymous_id", "session_id"):
        if getattr(request, name) is not None:
            event[name] = getattr(request, name)
    if not request.is_suspected:
        tessera.log_soon([event])
    if request.slot is not None and request.counted_person is not None:
        detail = orjson.dumps(list(items)).decode()
        tessera.state.note(
            StateChange(
                request.counted_person,
                "served",
                at,
                slot=request.slot,
                campaign=campaign,
                detail=detail,
                reacts_to=answer_id,
                lists_personalization=None,
                lists_location=None,
                content=content,
            )
        )
