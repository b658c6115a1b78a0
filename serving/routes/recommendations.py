"""`POST /v1/recommendations` and `POST /v1/decisions`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.events.normalization.user_agents import is_browser_agent
from serving.admission.client_address import client_address
from serving.admission.header_values import header_values
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
        return JSON(await answer_async(tessera, request, _read_headers(tessera, http_request, request)))

    async def decide(http_request: Request) -> Response:
        caller = tessera.access.caller(http_request)
        request = await read_body(http_request, DecisionRequest)
        request = authorize(tessera, http_request, caller, request)
        return JSON(answer_decision(tessera, request, _read_headers(tessera, http_request, request)))

    return [
        browser_route(tessera.cors, "/v1/recommendations", recommend, "POST"),
        browser_route(tessera.cors, "/v1/decisions", decide, "POST"),
    ]


def _read_headers(tessera: Tessera, http_request: Request, request: RecommendationRequest) -> dict[str, Any]:
    """Return what the headers say, and the country of the address where that is the visitor's own."""
    headers = read_headers(http_request)
    if not request.is_trusted or is_browser_agent(header_values(http_request).get("user-agent")):
        proxies = tessera.config.settings.collector.trusted_proxies
        country = tessera.collector.find_country(client_address(http_request, proxies))
        if country is not None:
            headers["country"] = country
    return headers
