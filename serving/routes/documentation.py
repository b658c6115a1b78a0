"""`/docs` and `/openapi.json`: the API as OpenAPI 3.1."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.errors import JSON
from serving.openapi import openapi, page


def documentation_routes() -> list[Route]:
    """Routes of this file. They need no key."""

    async def specification(_: Request) -> Response:
        return JSON(openapi())

    async def documentation(_: Request) -> Response:
        return HTMLResponse(page(openapi()))

    return [
        Route("/openapi.json", specification, methods=["GET"]),
        Route("/docs", documentation, methods=["GET"]),
    ]
