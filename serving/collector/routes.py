"""The collector's addresses: which protocol answers where, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving.collector.collector import Collector
from serving.collector.keys import Sender
from serving.collector.protocols import segment, snowplow
from serving.collector.protocols.translation import TranslationFailure, as_mapping, as_text
from serving.collector.request_metadata import read_request_metadata
from serving.collector.requests import find_fault, read_json
from serving.collector.submissions import Rejection, SubmissionResult
from serving.errors import JSON, ApiError, answer_error
from serving.privacy.identity_token import FIELD as IDENTITY_FIELD

Handler = Callable[[Collector, Request], Coroutine[Any, Any, Response]]
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
WITHHELD = (
    "withheld events were counted and not stored: `analytics` is not granted, or the browser denies it; "
    'once the person agrees, send "consent": ["analytics", "personalization"] with each event'
)
FAILURE = "the collector failed on this request; nothing of it was stored"
SNOWPLOW_POST = ("/com.snowplowanalytics.snowplow/tp2",)
SNOWPLOW_GET = ("/i", "/ice.png", "/com.snowplowanalytics.snowplow/tp1", *SNOWPLOW_POST)
SEGMENT = {
    **dict.fromkeys(segment.BATCH_PATHS, "batch"),
    **{path: call for call in segment.CALLS for path in segment.call_paths(call)},
}

BEACON_PATHS = frozenset({*SNOWPLOW_POST, *SEGMENT, segment.METRICS_PATH})
"""Where the trackers of browsers post JSON as text/plain."""


def collector_routes(collector: Collector) -> list[Route]:
    """Routes of every protocol; mount them in an ASGI app that starts and closes the collector."""

    def route(path: str, handler: Handler, method: str) -> Route:
        name = f"collect_{path.strip('/').replace('/', '_')}"
        endpoint = _Endpoint(collector, handler, method)
        return Route(path, endpoint, methods=[method, "OPTIONS"], name=name, include_in_schema=False)

    return [
        route("/v1/events", take_events, "POST"),
        *(route(path, take_snowplow_post, "POST") for path in SNOWPLOW_POST),
        *(route(path, take_snowplow_get, "GET") for path in SNOWPLOW_GET),
        *(route(path, _segment_call(call), "POST") for path, call in SEGMENT.items()),
        *(route(path, _segment_pixel(call), "GET") for path, call in segment.PIXEL_PATHS.items()),
        route(segment.METRICS_PATH, take_segment_metrics, "POST"),
    ]


async def take_events(collector: Collector, request: Request) -> Response:
    """Plain JSON: `{"events": […], "sent_at"?: …, "identity_token"?: …}` with the contract's own field names."""
    sender = collector.keys.sender(request, in_query=_keys_in_query(request))
    body = await read_json(request, collector.settings.collector)
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise ApiError(400, 'expected {"events": [...]}', "events")
    _check_count(collector, events)
    sent_at = body.get("sent_at")
    if sent_at is not None:
        events = [{"sent_at": sent_at, **event} if isinstance(event, dict) else event for event in events]
    metadata = read_request_metadata(request, collector.settings.collector.trusted_proxies)
    result = await collector.take(
        events, range(len(events)), [], source="json", sender=sender, metadata=metadata,
        identity_token=body.get(IDENTITY_FIELD),
    )  # fmt: skip
    return JSON(_result_json(result), status_code=202)


async def take_snowplow_post(collector: Collector, request: Request) -> Response:
    """Snowplow `tp2`: an envelope of payloads, as `application/json` or as a beacon's text."""
    body = await read_json(request, collector.settings.collector)
    payloads = body.get("data") if isinstance(body, dict) else None
    if not isinstance(payloads, list):
        raise ApiError(400, "expected an iglu payload_data envelope with a list `data`", "data")
    result = await _take_payloads(collector, request, payloads)
    return JSON(_result_json(result))


async def take_snowplow_get(collector: Collector, request: Request) -> Response:
    """Snowplow `i`: one payload in the query; answers with a transparent pixel."""
    payload = dict(request.query_params)
    fault = find_fault(payload, collector.settings.collector)
    if fault:
        raise ApiError(400, f"the query {fault}", "query")
    await _take_payloads(collector, request, [payload])
    headers = {"Cache-Control": "no-store"}
    return Response(PIXEL, media_type="image/gif", headers=headers)


async def _take_payloads(collector: Collector, request: Request, payloads: list[Any]) -> SubmissionResult:
    _check_count(collector, payloads)
    app_ids = {as_text(as_mapping(payload).get("aid")) for payload in payloads}
    app_id = list(app_ids) if len(app_ids) == 1 else []
    in_query = [*_keys_in_query(request), *(app_id if request.method == "GET" else [])]
    sender = collector.keys.sender(request, app_id if request.method == "POST" else [], in_query)
    ping_seconds = collector.settings.collector.page_ping_seconds
    translated = [snowplow.translate(payload, ping_seconds) for payload in payloads]
    return await _take_translated(collector, request, translated, sender, "snowplow")


def _segment_call(call: str) -> Handler:
    async def take_segment(collector: Collector, request: Request) -> Response:
        body = await read_json(request, collector.settings.collector)
        parsed = segment.read_messages(body, call)
        if parsed is None:
            raise ApiError(
                400, f"expected the body of a Segment {call} call", "batch" if call == "batch" else "body"
            )
        messages, shared = parsed
        _check_count(collector, messages)
        in_query = _keys_in_query(request, "writeKey") if request.url.path.startswith("/beacon/") else []
        sender = collector.keys.sender(request, [body.get("writeKey")], in_query)
        translated = [segment.translate(message, shared) for message in messages]
        result = await _take_translated(collector, request, translated, sender, "segment")
        return JSON({"success": True, **_result_json(result)})

    return take_segment


def _segment_pixel(call: str) -> Handler:
    async def take_pixel(collector: Collector, request: Request) -> Response:
        try:
            message = segment.read_pixel(request.query_params.get("data", ""))
        except ValueError:
            message = None
        fault = find_fault(message, collector.settings.collector)
        in_query = [as_mapping(message).get("writeKey")]
        sender = collector.keys.sender(request, in_query=in_query)
        if not isinstance(message, dict) or fault:
            raise ApiError(400, f"the query {fault or 'holds no JSON object in base64'}", "data")
        translated = [segment.translate({**message, "type": call}, {})]
        await _take_translated(collector, request, translated, sender, "segment")
        return Response(PIXEL, media_type="image/gif", headers={"Cache-Control": "no-store"})

    return take_pixel


async def take_segment_metrics(collector: Collector, request: Request) -> Response:
    """What Segment's library for browsers counts of itself, none of which is an event of the site."""
    collector.keys.sender(request)
    await read_json(request, collector.settings.collector)
    return JSON({"success": True})


async def _take_translated(
    collector: Collector,
    request: Request,
    translated: list[list[dict[str, Any]] | TranslationFailure],
    sender: Sender,
    source: str,
) -> SubmissionResult:
    records: list[dict[str, Any]] = []
    event_indexes: list[int] = []
    failures: list[tuple[int, TranslationFailure]] = []
    for event_index, result in enumerate(translated):
        if isinstance(result, TranslationFailure):
            failures.append((event_index, result))
        else:
            records += result
            event_indexes += [event_index] * len(result)
    metadata = read_request_metadata(request, collector.settings.collector.trusted_proxies)
    return await collector.take(records, event_indexes, failures, source=source, sender=sender, metadata=metadata)


def _keys_in_query(request: Request, name: str = "key") -> list[str | None]:
    return [request.query_params.get(name)] if request.scope["query_string"] else []


def _check_count(collector: Collector, events: list[Any]) -> None:
    limit = collector.settings.collector.max_batch_events
    if len(events) > limit:
        raise ApiError(413, f"{len(events)} events; at most {limit} in a request", "events")


def _result_json(result: SubmissionResult) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "accepted": result.accepted,
        "rejected": [_rejection_json(rejection) for rejection in result.rejected],
    }
    warnings = list(result.warnings)
    if result.withheld:
        answer["withheld"] = result.withheld
        warnings.append(WITHHELD)
    return answer | ({"warnings": warnings} if warnings else {})


def _rejection_json(rejection: Rejection) -> dict[str, Any]:
    return {"index": rejection.index, "error": f"{rejection.field}: {rejection.reason}"}


class _Endpoint:
    """Every failure as a JSON answer, no stack trace, and the headers that browsers of allowed sites need.

    It is an ASGI application: a function would be wrapped by Starlette in a handler of errors of its own.
    """

    def __init__(self, collector: Collector, handler: Handler, method: str) -> None:
        self._collector = collector
        self._handler = handler
        self._method = method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        cors = self._collector.cors
        if scope["method"] == "OPTIONS":
            answer = cors.preflight(request, self._method)
        else:
            answer = await self._answer(request)
            cors.allow(request, answer)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handler(self._collector, request)
        except Exception as error:  # noqa: BLE001  (the answer to a failure needs its CORS headers, too)
            return answer_error(error, self._handler.__qualname__, FAILURE)
