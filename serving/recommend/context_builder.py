"""Builds the context of a recommendation request: checks it, assigns experiments and chooses the bundle."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ml.decisions.rules.rule_set import RuleSet
from serving.bundles.served_bundle import ServedBundle
from serving.context.request_situation import (
    assign_treatment,
    build_situation,
    drop_erased_ids,
    refuse_flood,
)
from serving.context.situation import Situation
from serving.errors import ApiError
from serving.experiment.traffic_split import traffic_position
from serving.experiment.treatments import RECOMMENDATION_ASPECTS, Treatment
from serving.recommend.context import RequestContext
from serving.requests import RecommendationRequest
from serving.tessera import Tessera


def build_context(
    tessera: Tessera, request: RecommendationRequest, headers: dict[str, Any] | None = None
) -> RequestContext:
    """Build the context of a request.

    Args:
        tessera: The service.
        request: The request.
        headers: What the request's headers say, as `read_headers` returns it.

    Raises:
        ApiError: A field of the request is wrong, or the slot was requested too often for one person.
    """
    tessera.catch_up()
    request = drop_erased_ids(tessera, request)
    k = _check_length(tessera, request)
    at = request.resolve_time(tessera.clock())
    situation = build_situation(tessera, request, headers or {}, at)
    refuse_flood(tessera, request, at)
    treatment = assign_treatment(tessera, request, RECOMMENDATION_ASPECTS, situation, at)
    bundle, role = _choose_bundle(tessera, request.person, treatment)
    return RequestContext.build(
        tessera.state,
        request,
        bundle,
        situation,
        at=at.timestamp(),
        k=k,
        diversity=treatment.change_diversity(tessera.config.settings.decisions.diversity),
        boosts=find_boosts(tessera, treatment.change_rules(tessera.rules.rules), request, situation, bundle, at),
        role=role,
        treatment=treatment,
    )


def build_challenger_context(
    tessera: Tessera, context: RequestContext, challenger: ServedBundle
) -> RequestContext:
    """Build the context in which the challenger answers the same request; nothing is learned from its answer."""
    return RequestContext.build(
        tessera.state,
        context.request,
        challenger,
        context.situation,
        at=context.at,
        k=context.k,
        diversity=context.diversity,
        boosts=context.boosts,
        is_dry_run=True,
    )


def build_preview_context(
    tessera: Tessera, request: RecommendationRequest, profile: dict[str, Any], is_personal: bool | None = None
) -> RequestContext:
    """Build the context of an answer that is not shown, with another profile.

    Args:
        tessera: The service.
        request: Who the answer is for.
        profile: What the person set, or would set.
        is_personal: Whether the answer may use what is known of the person; None to look up their consent.
    """
    at = request.resolve_time(tessera.clock())
    return RequestContext.build(
        tessera.state,
        request,
        tessera.champion,
        build_situation(tessera, request, {}, at),
        at=at.timestamp(),
        k=tessera.settings.default_k,
        diversity=tessera.config.settings.decisions.diversity,
        profile=profile,
        is_personal=is_personal,
        is_dry_run=True,
    )


def _check_length(tessera: Tessera, request: RecommendationRequest) -> int:
    k = request.k or tessera.settings.default_k
    if k > tessera.settings.max_k:
        raise ApiError(422, f"k is {k}; at most {tessera.settings.max_k}", "k")
    return k


def _choose_bundle(tessera: Tessera, user: str | None, treatment: Treatment) -> tuple[ServedBundle, str]:
    """Choose the bundle that ranks, and the role in which it does.

    An experiment decides first. Without one, the champion and the challenger both rank for the interleaved share
    of people, the challenger for its own share, and the champion for everybody else. A canary, which is there
    while no challenger is named, ranks for its share; experiments and interleaving have nothing to do with it.
    """
    challenger, shares = tessera.challenger, tessera.settings.challenger
    if user is None or treatment.changes.model == "champion":
        return tessera.champion, "champion"
    if challenger is not None:
        if treatment.changes.model == "challenger":
            return challenger, "challenger"
        if traffic_position(user, "interleaved") < shares.interleaved_share:
            return tessera.champion, "interleaved"
        if traffic_position(user, "canary") < shares.canary_share:
            return challenger, "challenger"
    elif tessera.canary is not None:
        if traffic_position(user, "canary") < tessera.config.settings.canary.share:
            return tessera.canary, "canary"
    return tessera.champion, "champion"


def find_boosts(
    tessera: Tessera,
    rules: RuleSet,
    request: RecommendationRequest,
    situation: Situation,
    bundle: ServedBundle,
    at: dt.datetime,
) -> tuple[tuple[str, str, float], ...]:
    """Evaluate rules and return their boosts, each as kind, name and weight."""
    if not rules.rules:
        return ()
    outcome = rules.evaluate(tessera.decision_engine.build_rule_context(request, at, situation, bundle, rules))
    return tuple((kind, name, by) for kind, name, by, _ in outcome.boosts)
