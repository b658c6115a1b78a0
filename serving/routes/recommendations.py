"""`POST /v1/recommendations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON, ApiError
from serving.recommending import Asking, allowed, asking, candidates, new_recommendation_id
from serving.requests import RecommendationRequest
from serving.routes.bodies import body_as
from serving.tessera import Tessera

PERSONAL_SOURCES = frozenset({"personal", "recent", "follows", "segment"})
REASONS = {
    "trending": "many people open this right now",
    "popular": "popular over a long time",
    "follows": "often opened after what you opened last",
    "recent": "like what you opened lately",
    "personal": "fits your interests",
}


def recommendation_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file."""

    async def recommend(request: Request) -> Response:
        caller = tessera.access.caller(request)
        wanted = await body_as(request, RecommendationRequest)
        if not caller.is_trusted and wanted.user_id is not None:
            raise ApiError(403, "a browser key asks for an anonymous_id only", "user_id")
        return JSON(answer(tessera, wanted))

    return [Route("/v1/recommendations", recommend, methods=["POST"])]


def answer(tessera: Tessera, wanted: RecommendationRequest) -> dict[str, Any]:
    """Rank, log the answer as a `served` event, and return it."""
    state, linked = tessera.state, tessera.linked
    state.catch_up()
    k = wanted.k or tessera.settings.default_k
    if k > tessera.settings.max_k:
        raise ApiError(422, f"k is {k}; at most {tessera.settings.max_k}", "k")
    now = tessera.clock()
    asked = asking(wanted, now, k, state, linked)
    found = candidates(asked, state.activity, linked, tessera.settings.personal_candidates)
    ranked = sorted(
        (
            (score, key, source)
            for key, (score, source) in found.items()
            if key not in asked.excluded and allowed(key, wanted.filter, state.activity, linked)
        ),
        key=lambda entry: (-entry[0], entry[1]),
    )[:k]
    items = [
        {
            "item_id": state.activity.items[key],
            "rank": rank,
            "score": round(score, 6),
            "source": source,
            "reason": REASONS[source],
        }
        for rank, (score, key, source) in enumerate(ranked, start=1)
    ]
    reply: dict[str, Any] = {
        "recommendation_id": new_recommendation_id(),
        "items": items,
        "model_version": tessera.model_version,
        "personalized": any(source in PERSONAL_SOURCES for _, _, source in ranked),
    }
    if asked.segment is not None and not asked.is_opted_out:
        reply["segment"] = asked.segment
    if asked.user is not None:
        tessera.log_soon([served(wanted, asked, reply, items)])
    return reply


def served(
    wanted: RecommendationRequest, asked: Asking, reply: dict[str, Any], items: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The event that tells what was answered."""
    event: dict[str, Any] = {
        "event_type": "served",
        "occurred_at": asked.at,
        "recommendation_id": reply["recommendation_id"],
        "properties": {
            "items": [item["item_id"] for item in items],
            "ranks": [item["rank"] for item in items],
            "propensities": [1.0] * len(items),
            "model_version": reply["model_version"],
            "slot": asked.slot,
        },
    }
    for name in ("user_id", "anonymous_id", "session_id"):
        if getattr(wanted, name) is not None:
            event[name] = getattr(wanted, name)
    return event
