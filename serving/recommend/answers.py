"""Answers `POST /v1/recommendations`: builds the context, ranks, logs the answer as `served`, and replies."""

from __future__ import annotations

from typing import Any

from serving.bundles.served_bundle import ServedBundle
from serving.experiment.traffic_split import traffic_position
from serving.observability.metrics import ANSWERS
from serving.recommend.answer_log import log_exposures, log_recommendation
from serving.recommend.candidates import ScoredCandidates
from serving.recommend.context import RequestContext
from serving.recommend.context_builder import build_challenger_context, build_context, build_preview_context
from serving.recommend.recommendation import Recommendation
from serving.recommend.shortage import describe_shortage
from serving.requests import RecommendationRequest
from serving.tessera import Tessera


def answer(
    tessera: Tessera, request: RecommendationRequest, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Answer a request in the calling thread.

    Args:
        tessera: The service.
        request: The request.
        headers: What the request's headers say, as `read_headers` returns it.

    Raises:
        ApiError: A field of the request is wrong, or the slot was requested too often for one person.
    """
    return _reply(tessera, build_context(tessera, request, headers))


async def answer_async(
    tessera: Tessera, request: RecommendationRequest, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Answer a request; the search over all items and the rankers' trees run beside the event loop.

    Raises:
        ApiError: As `answer`.
    """
    context = build_context(tessera, request, headers)
    await tessera.search_pool.search(context)
    candidates = tessera.recommendation_engine.collect_candidates(context)
    await tessera.search_pool.score(candidates)
    return _reply(tessera, context, candidates)


def preview_items(
    tessera: Tessera, request: RecommendationRequest, profile: dict[str, Any], is_personal: bool | None = None
) -> list[dict[str, Any]]:
    """Return the items that a person would see with another profile. Nothing is logged or remembered.

    Args:
        tessera: The service.
        request: Who the items are for.
        profile: What the person set, or would set.
        is_personal: Whether what is known of the person may be used; None to look up their consent.
    """
    context = build_preview_context(tessera, request, profile, is_personal)
    return tessera.recommendation_engine.recommend(context).items


def _reply(
    tessera: Tessera, context: RequestContext, candidates: ScoredCandidates | None = None
) -> dict[str, Any]:
    """Rank, log the answer, and return its JSON."""
    recommendation = tessera.recommendation_engine.recommend(context, candidates)
    properties: dict[str, Any] = {"role": context.role, **_rank_shadow(tessera, context)}
    if context.role == "interleaved" and tessera.challenger is not None:
        recommendation = _interleave(tessera, context, recommendation, tessera.challenger)
    properties.update(recommendation.log_properties)
    model_version = context.bundle.model_version
    reply: dict[str, Any] = {
        "recommendation_id": recommendation.recommendation_id,
        "items": recommendation.items,
        "model_version": model_version,
        "personalized": recommendation.is_personalized,
    }
    shortage = describe_shortage(context, len(recommendation.items))
    if shortage is not None:
        reply["notice"] = shortage
    if context.segment is not None:
        reply["segment"] = context.segment
    if context.treatment.exposures:
        reply["experiments"] = properties["experiments"] = context.treatment.variants()
    ANSWERS.labels("recommendations", model_version or "none", context.role).inc()
    tessera.tracing.record_stages(
        recommendation.stages,
        {"tessera.model_version": model_version, "tessera.fallback": recommendation.fallback},
    )
    if context.user is not None:
        properties["model_version"] = model_version
        log_recommendation(tessera, context.request, context.at, recommendation, properties)
        log_exposures(tessera, context.request, context.treatment, context.at)
    return reply


def _rank_shadow(tessera: Tessera, context: RequestContext) -> dict[str, Any]:
    """Return what the challenger would have answered, for the shadow's share of people. It is only logged."""
    challenger, share = tessera.challenger, tessera.settings.challenger.shadow_share
    if challenger is None or context.role != "champion":
        return {}
    if traffic_position(str(context.user), "shadow") >= share:
        return {}
    return {
        "shadow_items": _recommend_by_challenger(tessera, context, challenger).item_ids,
        "shadow_model_version": challenger.model_version,
    }


def _interleave(
    tessera: Tessera, context: RequestContext, champions: Recommendation, challenger: ServedBundle
) -> Recommendation:
    """Return the list that the champion and the challenger draft together."""
    challengers = _recommend_by_challenger(tessera, context, challenger)
    return tessera.interleaver.draft(champions, challengers, challenger.model_version)


def _recommend_by_challenger(
    tessera: Tessera, context: RequestContext, challenger: ServedBundle
) -> Recommendation:
    """Return the challenger's answer to the same request."""
    return tessera.recommendation_engine.recommend(build_challenger_context(tessera, context, challenger))
