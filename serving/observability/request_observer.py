"""Observes every request: its time by route, a span, and a line in the log if it was slow or failed."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ml.settings.serving import LogsSettings
from serving.observability.metrics import REQUEST_SECONDS
from serving.observability.tracing import Tracing

logger = logging.getLogger("tessera.requests")
NO_ROUTE = "none"


class RequestObserver:
    """Middleware that measures, traces and logs requests.

    Args:
        app: The application.
        tracing: Where spans go.
        settings: Which requests are logged.
        routes: The routes whose patterns replace the paths.
    """

    def __init__(
        self, app: ASGIApp, tracing: Tracing, settings: LogsSettings, routes: Sequence[BaseRoute]
    ) -> None:
        self.app = app
        self._patterns = {route.endpoint: route.path_format for route in routes if isinstance(route, Route)}
        self.tracing = tracing
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request and record how it went. Paths may hold ids, so their patterns are recorded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def send_and_keep_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        if not self.tracing.is_on:
            try:
                await self.app(scope, receive, send_and_keep_status)
            finally:
                self._record(scope, status, time.perf_counter() - started)
            return
        with self.tracing.trace_request(scope["method"], Headers(scope=scope)) as span:
            try:
                await self.app(scope, receive, send_and_keep_status)
            finally:
                route = self._route(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attributes(
                    {
                        "http.request.method": scope["method"],
                        "http.route": route,
                        "http.response.status_code": status,
                    }
                )
                trace_id = format(span.get_span_context().trace_id, "032x")
                self._record(scope, status, time.perf_counter() - started, trace_id)

    def _record(self, scope: Scope, status: int, seconds: float, trace_id: str | None = None) -> None:
        route, method = self._route(scope), scope["method"]
        REQUEST_SECONDS.labels(route, method, str(status)).observe(seconds)
        logged_requests = self.settings.requests
        is_bad = status >= 500 or seconds * 1000 >= self.settings.slow_ms
        if logged_requests == "all" or (logged_requests == "slow" and is_bad):
            logger.log(
                logging.WARNING if is_bad else logging.INFO,
                "request",
                extra={
                    "route": route,
                    "method": method,
                    "status": status,
                    "milliseconds": round(seconds * 1000, 2),
                    "trace_id": trace_id,
                },
            )

    def _route(self, scope: Scope) -> str:
        """Return the pattern of the route that answered, such as `/v1/users/{user_id}`."""
        endpoint = scope.get("endpoint")
        return NO_ROUTE if endpoint is None else self._patterns.get(endpoint, NO_ROUTE)
