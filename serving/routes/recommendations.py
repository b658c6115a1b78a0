"""`POST /v1/recommendations` and `POST /v1/decisions`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.context.situation import headers_of
from serving.errors import JSON, ApiError
from serving.recommend.answering import answered_beside, asked_by, decision
from serving.requests import DecisionRequest, RecommendationRequest
from serving.routes.bodies import body_as
from serving.tessera import Tessera


def recommendation_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file."""

    async def recommend(request: Request) -> Response:
        caller = tessera.access.caller(request)
        wanted = await body_as(request, RecommendationRequest)
        _own_id_only(caller.is_trusted, wanted)
        return JSON(await answered_beside(tessera, asked_by(tessera, wanted, headers_of(request))))

    async def decide(request: Request) -> Response:
        caller = tessera.access.caller(request)
        wanted = await body_as(request, DecisionRequest)
        _own_id_only(caller.is_trusted, wanted)
        return JSON(decision(tessera, wanted, headers_of(request)))

    return [
        Route("/v1/recommendations", recommend, methods=["POST"]),
        Route("/v1/decisions", decide, methods=["POST"]),
    ]


def _own_id_only(is_trusted: bool, wanted: RecommendationRequest) -> None:
    if not is_trusted and wanted.user_id is not None:
        raise ApiError(403, "a browser key asks for an anonymous_id only", "user_id")
