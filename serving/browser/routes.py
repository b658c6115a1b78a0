"""`/tessera.js` and its types, for the pages of any site."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from serving.browser.script import TYPES, read_script

HEADERS = {"Cache-Control": "public, max-age=3600", "Cross-Origin-Resource-Policy": "cross-origin"}


def browser_script_routes() -> list[BaseRoute]:
    """Create the routes. They need no key: the script holds nothing of the site."""
    script = read_script()

    async def send_script(request: Request) -> Response:
        headers = {**HEADERS, "ETag": script.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == script.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                script.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type="text/javascript"
            )
        return Response(script.content, headers=headers, media_type="text/javascript")

    async def send_types(_: Request) -> Response:
        return FileResponse(TYPES, media_type="text/plain", headers=HEADERS)

    return [
        Route("/tessera.js", send_script, methods=["GET"]),
        Route("/tessera.d.ts", send_types, methods=["GET"]),
    ]
