"""What an answer leaves in the event log: `served`, and `exposure` where an experiment had a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.decisions.activity.activity import Change
from serving.decide.deciding import Decided, served_detail
from serving.experiment.experimenting import Trial
from serving.recommend.recommending import Recommended
from serving.requests import DecisionRequest, RecommendationRequest
from serving.tessera import Tessera


def log_answer(
    tessera: Tessera, wanted: RecommendationRequest, at: float, found: Recommended, more: dict[str, Any]
) -> None:
    """Write what was recommended; `more` is who ranked, and what was tried."""
    items = [item["item_id"] for item in found.items]
    properties = {
        "items": items,
        "ranks": list(range(1, len(items) + 1)),
        "propensities": found.propensities,
        "slot": wanted.slot,
        **more,
    }
    _served(tessera, wanted, at, found.recommendation_id, properties, items)


def log_decision(tessera: Tessera, wanted: DecisionRequest, at: float, decided: Decided, trial: Trial) -> None:
    """Write what a slot was decided to show."""
    properties = {
        "items": [decided.actions["content"]] if decided.actions.get("content") else [],
        "ranks": [1] if decided.actions.get("content") else [],
        "propensities": [decided.propensity] if decided.actions.get("content") else [],
        "model_version": tessera.ranking.model_version,
        "slot": wanted.slot,
        "decision": decided.actions,
        "rules": decided.chosen_by,
        **({"experiments": trial.variants()} if trial.shown else {}),
    }
    _served(tessera, wanted, at, decided.decision_id, properties, [])


def log_exposures(tessera: Tessera, wanted: RecommendationRequest, trial: Trial, at: float) -> None:
    """Log what was shown for the first time to its unit."""
    if trial.shown:
        user = wanted.user_id or wanted.anonymous_id
        segment = tessera.ranking.facts(user).get("segment") if user else None
        events = tessera.experimenting.exposures(wanted, trial, segment, at)
        if events:
            tessera.log_soon(events)


def _served(
    tessera: Tessera,
    wanted: RecommendationRequest,
    at: float,
    answer_id: str,
    properties: dict[str, Any],
    items: Sequence[str],
) -> None:
    """Write the `served` event, and tell the state where the slot is named."""
    event: dict[str, Any] = {
        "event_type": "served",
        "occurred_at": at,
        "recommendation_id": answer_id,
        "properties": properties,
    }
    for name in ("user_id", "anonymous_id", "session_id"):
        if getattr(wanted, name) is not None:
            event[name] = getattr(wanted, name)
    tessera.log_soon([event])
    user = wanted.user_id or wanted.anonymous_id
    if wanted.slot is not None and user is not None:
        tessera.state.note(Change(user, "served", at, slot=wanted.slot, detail=served_detail(list(items))))
