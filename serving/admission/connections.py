"""HTTP connections with limits of time and size, which uvicorn's own connections do not have."""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from typing import Any

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ml.settings.serving import LimitSettings


def limit_connections(limits: LimitSettings) -> None:
    """Let every server that uvicorn starts in this process from now on use limited connections.

    BentoML starts uvicorn itself and passes few of its options on, so the connections are registered where uvicorn
    looks for its standard ones.
    """
    limited = type("SiteConnection", (LimitedConnection,), {"limits": limits})
    uvicorn.config.HTTP_PROTOCOLS["auto"] = limited  # type: ignore[assignment]


class LimitedConnection(HttpToolsProtocol):
    """A connection that is closed if a request takes too long to arrive or its head is too large.

    Attributes:
        limits: The limits; a subclass for each site sets them.
    """

    limits = LimitSettings()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.limit_concurrency = self.limits.max_connections
        self._head_bytes = 0
        self._is_in_head = True
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the head of the first request."""
        super().connection_made(transport)
        self._expect_within(self.limits.head_seconds)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the head. Bytes of a body are counted where it is read."""
        if self._deadline is None and self._is_in_head:  # the first bytes after a request on the same connection
            self._expect_within(self.limits.head_seconds)
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > self.limits.max_head_bytes and not self.transport.is_closing():
            self._is_in_head = False
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        """Expect the body."""
        self._is_in_head = False
        self._head_bytes = 0
        self._expect_within(self.limits.request_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next head, without a deadline until it begins: idle connections have one of their own."""
        self._is_in_head = True
        self._cancel()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._cancel()
        super().connection_lost(exc)

    def _expect_within(self, seconds: float) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(seconds, self._end)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        self.transport.abort()
