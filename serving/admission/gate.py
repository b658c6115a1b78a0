"""ASGI middleware in front of every route: host, number of requests, and bytes of the body as they arrive."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ml.settings import Settings
from serving.access import Access, read_header_key
from serving.admission.client_address import (
    client_address,
    is_in_process,
    is_loopback,
    network_of,
    peer_address,
)
from serving.admission.cors import Cors
from serving.admission.header_values import header_values
from serving.admission.hosts import HostRules
from serving.admission.rate_limits import RateLimit
from serving.errors import ApiError, answer_error
from serving.routes.bodies import MAX_BODY_BYTES


class Gate:
    """Refuses a request before anything is read or looked up for it.

    Requests are counted by secret key, or else by the network that they come from: a browser key is known to
    everybody, so a limit of the key alone would let one visitor use up what the others may send.

    Args:
        app: The application.
        access: The keys.
        settings: Settings of the site.
        beacon_paths: Paths whose trackers post JSON as text/plain.
        cors: Which pages may read why a request is refused.
    """

    def __init__(
        self, app: ASGIApp, access: Access, settings: Settings, beacon_paths: Iterable[str], cors: Cors
    ) -> None:
        self.app = app
        self._access = access
        self._cors = cors
        limits, collector = settings.serving.limits, settings.collector
        self._hosts = HostRules(settings.serving.allowed_hosts, collector.cors_origins, frozenset(beacon_paths))
        self._trusted_proxies = collector.trusted_proxies
        self._max_body_bytes = max(MAX_BODY_BYTES, collector.max_body_bytes)
        self._of_network = RateLimit(limits.requests_per_second, limits.burst_requests)
        self._of_key = RateLimit(limits.secret_requests_per_second, limits.secret_burst_requests)
        self._of_open = RateLimit(limits.open_requests_per_second, limits.burst_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is refused, and pass on the others with a body that cannot grow too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        try:
            self._check(scope, request)
        except ApiError as error:
            answer = answer_error(error, "Gate")
            self._cors.allow(request, answer)
            await answer(scope, receive, send)
            return
        await self.app(scope, self._count_bytes(receive), send)

    def _check(self, scope: Scope, request: HTTPConnection) -> None:
        """Check everything that the head of a request says.

        Raises:
            ApiError: 403, 413, 415 or 429.
        """
        self._access.keys.refresh()
        has_keys = bool(self._access.keys)
        # Without keys, other machines get nothing that a name could protect; pages are a danger on this one.
        is_exempt = not has_keys and not is_loopback(peer_address(request))
        if not is_exempt and not is_in_process(request):
            self._hosts.check(scope["method"], scope["path"], header_values(request), has_keys=has_keys)
        if scope["method"] != "OPTIONS":  # a page cannot read why its preflight is refused
            self._check_rate(request, has_keys)
        declared = header_values(request).get("content-length", "")
        if declared.isdecimal() and (len(declared) > 12 or int(declared) > self._max_body_bytes):
            raise self._too_large()

    def _check_rate(self, request: HTTPConnection, has_keys: bool) -> None:
        network = network_of(client_address(request, self._trusted_proxies))
        if not has_keys:
            wait, what = self._of_open.wait(network, 1), "this address"
        else:
            key = read_header_key(request, is_strict=False)
            access_key = self._access.keys.find(key) if key else None
            if access_key is not None and access_key.kind == "secret":
                wait, what = self._of_key.wait(access_key.key_id, 1), "this key"
            else:
                wait, what = self._of_network.wait(network, 1), "this address"
        if wait:
            raise ApiError(
                429,
                f"{what} sends more requests than serving.limits allows; try again later",
                retry_after_seconds=wait,
            )

    def _count_bytes(self, receive: Receive) -> Receive:
        """Wrap the stream of a body so that it ends with an error at the limit, however it is sent."""
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise self._too_large()
            return message

        return receive_counted

    def _too_large(self) -> ApiError:
        return ApiError(413, f"the body is larger than {self._max_body_bytes} bytes; send less at a time", "body")
