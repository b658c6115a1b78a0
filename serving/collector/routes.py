"""The collector's addresses."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.collector.collector import Collector, DiskFullError, QueueFullError, Rejection
from serving.collector.requests import RefusalError, read_json

log = logging.getLogger(__name__)

Handler = Callable[[Collector, Request], Awaitable[Response]]


def collector_routes(collector: Collector) -> list[Route]:
    """Routes of every protocol; mount them in an ASGI app that starts and closes the collector."""
    return [Route("/v1/events", _guarded(collector, take_events), methods=["POST"])]


async def take_events(collector: Collector, request: Request) -> Response:
    """Plain JSON: `{"events": […]}` with the contract's own field names."""
    limits = collector.settings.collector
    body = await read_json(request, limits)
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise RefusalError(400, 'expected {"events": [...]}', "events")
    if len(events) > limits.max_batch_events:
        raise RefusalError(413, f"{len(events)} events; at most {limits.max_batch_events} in a request", "events")
    rejected = await collector.record(events, source="json")
    return json_response(
        202, {"accepted": len(events) - len(rejected), "rejected": [_as_json(one) for one in rejected]}
    )


def json_response(status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def _as_json(rejection: Rejection) -> dict[str, Any]:
    return {"index": rejection.index, "error": f"{rejection.field}: {rejection.reason}"}


def _guarded(collector: Collector, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler with every failure turned into a JSON answer; no stack trace leaves."""
    retry = {"Retry-After": str(collector.settings.collector.retry_after_seconds)}

    async def guarded(request: Request) -> Response:
        try:
            return await handler(collector, request)
        except RefusalError as refusal:
            return _error(refusal.status, refusal.message, refusal.field)
        except QueueFullError as full:
            return _error(429, f"{full}; come back later", None, retry)
        except DiskFullError as full:
            return _error(503, f"{full}; nothing was stored, send it again later", None, retry)
        except Exception:
            log.exception("a request failed")
            return _error(500, "an error of ours; nothing was stored", None)

    return guarded


def _error(status: int, message: str, field: str | None, headers: dict[str, str] | None = None) -> Response:
    return json_response(status, {"error": {"message": message, "field": field}}, headers)
