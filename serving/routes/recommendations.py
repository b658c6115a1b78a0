"""`POST /v1/recommendations` and `POST /v1/decisions`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.context.situation import read_headers
from serving.decide.decision_answers import answer_decision
from serving.errors import JSON
from serving.recommend.answers import answer_async
from serving.requests import DecisionRequest, RecommendationRequest
from serving.routes.bodies import read_body
from serving.routes.browser_routes import browser_route
from serving.routes.callers import authorize
from serving.tessera import Tessera


def recommendation_routes(tessera: Tessera) -> list[Route]:
    """Create the routes."""

    async def recommend(http_request: Request) -> Response:
        caller = tessera.access.caller(http_request)
        request = await read_body(http_request, RecommendationRequest)
        request = authorize(tessera, http_request, caller, request)
        return JSON(await answer_async(tessera, request, read_headers(http_request)))

    async def decide(http_request: Request) -> Response:
        caller = tessera.access.caller(http_request)
        request = await read_body(http_request, DecisionRequest)
        request = authorize(tessera, http_request, caller, request)
        return JSON(answer_decision(tessera, request, read_headers(http_request)))

    return [
        browser_route(tessera.cors, "/v1/recommendations", recommend, "POST"),
        browser_route(tessera.cors, "/v1/decisions", decide, "POST"),
    ]
