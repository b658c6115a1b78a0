"""Answers `POST /v1/decisions`."""

from __future__ import annotations

import uuid
from typing import Any

from serving.context.request_situation import (
    assign_treatment,
    build_situation,
    drop_erased_ids,
    refuse_flood,
)
from serving.experiment.treatments import DECISION_ASPECTS, Treatment
from serving.observability.metrics import ANSWERS
from serving.recommend.answer_log import log_decision, log_exposures
from serving.requests import DecisionRequest
from serving.tessera import Tessera


def answer_decision(
    tessera: Tessera, request: DecisionRequest, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Decide what a slot shows, log the decision with its propensity, and return the reply.

    Raises:
        ApiError: A field of the request is wrong, or the slot was requested too often for one person.
    """
    tessera.catch_up()
    now = tessera.clock()
    request = drop_erased_ids(tessera, request)
    at = request.resolve_time(now)
    situation = build_situation(tessera, request, headers or {}, at)
    refuse_flood(tessera, request, at)
    treatment = assign_treatment(tessera, request, DECISION_ASPECTS, situation, at)
    rules = treatment.change_rules(tessera.rules.rules)
    engine, model_version = tessera.decision_engine, tessera.champion.model_version
    context = engine.build_rule_context(request, at, situation, tessera.champion, rules)
    decision = engine.decide(
        context, rules, situation, now.timestamp(), _fixed_content(treatment), _name_learned_person(request)
    )
    ANSWERS.labels("decisions", model_version or "none", "champion").inc()
    if request.person is not None:
        log_decision(tessera, request, at.timestamp(), decision, treatment)
        log_exposures(tessera, request, treatment, at.timestamp())
    outcome = decision.outcome
    return {
        "decision_id": decision.decision_id,
        "slot": request.slot,
        "content": decision.actions.get("content"),
        "rule": decision.chosen_by.get("content"),
        "campaign": decision.campaign,
        "actions": decision.actions,
        "chosen_by": decision.chosen_by,
        "matched": list(outcome.matched),
        "boosts": [{kind: name, "by": by, "rule": rule} for kind, name, by, rule in outcome.boosts],
        "propensity": round(decision.propensity, 6),
        "model_version": model_version,
        **({"experiments": treatment.variants()} if treatment.exposures else {}),
    }


def _name_learned_person(request: DecisionRequest) -> str | None:
    """Return under whom the bandit learns from an answer; None for a browser that names nobody, or is suspected.

    A trusted caller may name nobody: each such answer is to somebody else.
    """
    if request.is_suspected:
        return None
    return request.counted_person or (uuid.uuid4().hex if request.is_trusted else None)


def _fixed_content(treatment: Treatment) -> tuple[str, str] | None:
    """Return the content that an experiment puts into the slot, and the name that replaces the rule's id."""
    content = treatment.changes.content
    return None if content is None else (content, f"experiment:{treatment.experiment_of['content']}")
