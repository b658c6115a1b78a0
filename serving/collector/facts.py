"""What a request tells by itself, besides its body: address, browser, and the wish not to be tracked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from starlette.requests import Request

from serving.collector.enrichment.device import NOTHING as NO_HINTS
from serving.collector.enrichment.device import Hints, hints_of_headers

MAX_HEADER_CHARS = 1_024


@dataclass(frozen=True)
class Facts:
    """`address` is whole here and never leaves the door whole unless a setting says so."""

    received_at: dt.datetime
    address: str | None = None
    user_agent: str | None = None
    hints: Hints = NO_HINTS
    language: str | None = None
    global_privacy_control: bool = False
    do_not_track: bool = False
    wants_no_ids: bool = False


def facts_of(request: Request, trusted_proxies: int) -> Facts:
    """Read the headers. `trusted_proxies` is how many hops of X-Forwarded-For are our own."""
    headers = request.headers

    def header(name: str) -> str | None:
        value = headers.get(name)
        return value[:MAX_HEADER_CHARS] if value else None

    languages = (header("accept-language") or "").split(",")[0].split(";")[0].strip()
    return Facts(
        received_at=dt.datetime.now(dt.UTC),
        address=_address(request, trusted_proxies),
        user_agent=header("user-agent"),
        hints=hints_of_headers(header("sec-ch-ua"), header("sec-ch-ua-mobile"), header("sec-ch-ua-platform")),
        language=languages if languages and languages != "*" else None,
        global_privacy_control=headers.get("sec-gpc") == "1",
        do_not_track=headers.get("dnt") == "1",
        wants_no_ids="sp-anonymous" in headers,
    )


def _address(request: Request, trusted_proxies: int) -> str | None:
    if trusted_proxies:
        hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
        if hops:
            return hops[-min(trusted_proxies, len(hops))]
    return request.client.host if request.client else None
