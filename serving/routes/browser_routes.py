"""Routes that pages call with a browser key, across origins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.admission.cors import Cors
from serving.errors import answer_error

Endpoint = Callable[[Request], Awaitable[Response]]


def browser_route(cors: Cors, path: str, endpoint: Endpoint, method: str) -> Route:
    """Create a route whose answers and failures the pages of allowed origins may read.

    Args:
        cors: Which origins those are.
        path: Path of the route.
        endpoint: Answers a request.
        method: The HTTP method; preflights are answered too.
    """

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return cors.preflight(request, method)
        try:
            response = await endpoint(request)
        except Exception as error:  # noqa: BLE001  # the page may read why it failed
            response = answer_error(error, request.url.path)
        cors.allow(request, response)
        return response

    return Route(path, answer, methods=[method, "OPTIONS"], name=endpoint.__name__)
