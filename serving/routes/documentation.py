"""`/docs` and `/openapi.json`: the API as OpenAPI 3.1."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.errors import JSON
from serving.openapi import openapi, render_page


def documentation_routes() -> list[Route]:
    """Create the routes. They need no key."""

    async def specification(_: Request) -> Response:
        return JSON(openapi())

    async def documentation(_: Request) -> Response:
        return HTMLResponse(render_page(openapi()))

    return [
        Route("/openapi.json", specification, methods=["GET"]),
        Route("/docs", documentation, methods=["GET"]),
    ]
