"""Metadata of a request apart from its body: client address, browser and privacy signals."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from starlette.requests import Request

from ml.events.normalization.user_agents import NO_HINTS, ClientHints, read_client_hints
from serving.admission.client_address import client_address
from serving.admission.header_values import header_values
from serving.privacy.identity_token import HEADER as IDENTITY_HEADER

MAX_HEADER_CHARS = 1_024


@dataclass(frozen=True)
class RequestMetadata:
    """Address, browser, language and privacy signals of a request.

    `address` is complete here; the intake truncates or drops it unless a setting says `keep`. `body_bytes` is the
    size of the body once it is unpacked.
    """

    received_at: dt.datetime
    address: str | None = None
    user_agent: str | None = None
    hints: ClientHints = NO_HINTS
    language: str | None = None
    global_privacy_control: bool = False
    do_not_track: bool = False
    is_anonymous_request: bool = False
    body_bytes: int = 0
    identity_token: str | None = None


def read_request_metadata(request: Request, trusted_proxies: int) -> RequestMetadata:
    """Read the metadata from a request's headers.

    Args:
        request: the request.
        trusted_proxies: number of hops of `X-Forwarded-For` that belong to the site's own proxies.
    """
    headers = header_values(request)

    def header(name: str) -> str | None:
        value = headers.get(name)
        return value[:MAX_HEADER_CHARS] if value else None

    languages = (header("accept-language") or "").split(",")[0].split(";")[0].strip()
    return RequestMetadata(
        received_at=dt.datetime.now(dt.UTC),
        address=client_address(request, trusted_proxies),
        user_agent=header("user-agent"),
        hints=read_client_hints(header("sec-ch-ua"), header("sec-ch-ua-mobile"), header("sec-ch-ua-platform")),
        language=languages if languages and languages != "*" else None,
        global_privacy_control=headers.get("sec-gpc") == "1",
        do_not_track=headers.get("dnt") == "1",
        is_anonymous_request="sp-anonymous" in headers,
        body_bytes=getattr(request.state, "body_bytes", 0),
        identity_token=headers.get(IDENTITY_HEADER) or None,
    )
