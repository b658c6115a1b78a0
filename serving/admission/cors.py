"""Which sites' pages may post here (CORS): an allow-list, never a mirror of whatever asks."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from serving.access import KeyRegistry
from serving.admission.header_values import header_values

# With those that the libraries of Snowplow, Segment (X-Retry-Count) and RudderStack (AnonymousId) set in browsers.
HEADERS = (
    "Authorization, Content-Type, Content-Encoding, SP-Anonymous, Tessera-Identity, X-Retry-Count, AnonymousId"
)
PREFLIGHT_SECONDS = "3600"


class Cors:
    """Answers preflights and marks answers for pages of allowed origins, such as https://shop.example.

    Args:
        origins: Origins that the settings allow.
        keys: The keys; the origins of a browser key may call with it.
    """

    def __init__(self, origins: Sequence[str], keys: KeyRegistry) -> None:
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        self._keys = keys

    def preflight(self, request: Request, method: str) -> Response:
        """204; with the permission, if the page's site has it."""
        answer = Response(status_code=204)
        if self.allow(request, answer):
            answer.headers["Access-Control-Allow-Methods"] = method
            answer.headers["Access-Control-Allow-Headers"] = HEADERS
            answer.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        return answer

    def allow(self, request: HTTPConnection, answer: Response) -> bool:
        """Mark the answer as readable by the page, if its site is on the list; trackers send cookies along."""
        origin = header_values(request).get("origin")
        if not origin:
            return False
        origins = self._origins | self._keys.page_origins()
        if not origins:
            return False
        answer.headers["Vary"] = "Origin"
        if origin not in origins:
            return False
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Credentials"] = "true"
        return True
