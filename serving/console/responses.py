"""What answers of the console have in common: their headers, and what stands where there are no figures."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Accept-Language",
}
KEPT = "public, max-age=31536000, immutable"
UNPUBLISHED = [
    "Nothing is published yet, so there is nothing to show.",
    "Send events or ingest a file, then run `tessera materialize`: it builds the tables and publishes them.",
]
OUTDATED = [
    "The current bundle was published by an earlier version, without the tables that the console shows.",
    "Run `tessera materialize` to publish it anew.",
]
NOBODY = ["Nobody has visited the site yet: the tables hold no visit that counts."]
NO_SERVICE = "This page asks the running service, which this console does not have beside it. Run `tessera up`."


def html(text: str, status: int = 200) -> Response:
    """Return a page with the headers of the console."""
    return HTMLResponse(text, status, HEADERS)
