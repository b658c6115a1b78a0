"""A request's body as JSON: read no further than the limits, unpacked no further, nested no deeper."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from ml.settings.collector import CollectorSettings
from serving.admission.header_values import header_values
from serving.errors import ApiError

HEAVY_BYTES = 200_000  # about 10 ms of work on this much JSON; more is done beside the event loop


async def read_json(request: Request, limits: CollectorSettings) -> Any:
    """The body as JSON values.

    Raises:
        ApiError: 400 no JSON or too deep, 413 too large, 415 an encoding other than gzip.
    """
    body = await read_body(request, limits)
    request.state.body_bytes = len(body)
    if len(body) <= HEAVY_BYTES:
        return parse_json(body, limits)
    return await run_in_threadpool(parse_json, body, limits)


async def read_body(request: Request, limits: CollectorSettings) -> bytes:
    """The body, unpacked.

    Raises:
        ApiError: 400 broken or broken off, 413 too large, 415 an encoding other than gzip.
    """
    headers = header_values(request)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise ApiError(415, f"content-encoding {encoding[:40]!r} is not accepted; legal: gzip", "content-encoding")
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    body = bytearray()
    try:
        async for block in request.stream():
            body += block
            if len(body) > limits.max_body_bytes:
                raise _too_large(limits.max_body_bytes)
    except ClientDisconnect:
        raise ApiError(400, "the request broke off", "body") from None
    return _unpacked(bytes(body), limits.max_decompressed_bytes) if encoding == "gzip" else bytes(body)


def parse_json(body: bytes, limits: CollectorSettings) -> Any:
    """JSON values from text, checked for depth and for the length of its texts.

    Raises:
        ApiError: 400, with what is wrong.
    """
    try:
        content = orjson.loads(body)
    except (orjson.JSONDecodeError, ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {str(error)[:120]}", "body") from None
    fault = None if _is_surely_within(body, limits) else find_fault(content, limits)
    if fault:
        raise ApiError(400, f"the body {fault}", "body")
    return content


def _is_surely_within(body: bytes, limits: CollectorSettings) -> bool:
    """Return whether JSON text is so short and opens so few objects and lists that no limit can be passed."""
    is_short = len(body) <= min(limits.max_string_chars, limits.max_values)
    return is_short and body.count(b"{") + body.count(b"[") < limits.max_depth


def find_fault(content: Any, limits: CollectorSettings) -> str | None:
    """Return what is too deep or too long in JSON values; None if nothing is."""
    level, values, longest = [content], 1, limits.max_string_chars
    for _ in range(limits.max_depth):
        following: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is str:
                if len(value) > longest:
                    return f"has a text of more than {longest} characters"
            elif kind is dict:
                following += value.values()
                if max(map(len, value), default=0) > longest:
                    return f"has a name of more than {longest} characters"
            elif kind is list:
                following += value
        if not following:
            return None
        values += len(following)
        if values > limits.max_values:
            return f"has more than {limits.max_values} values"
        level = following
    return f"is nested deeper than {limits.max_depth} levels"


def _unpacked(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise ApiError(400, f"the body is not gzip: {error}", "body") from None
    if len(content) > limit or unpacker.unconsumed_tail:
        raise _too_large(limit)
    if not unpacker.eof:
        raise ApiError(400, "the gzipped body is cut short", "body")
    return content


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"the body is larger than {limit} bytes", "body")
