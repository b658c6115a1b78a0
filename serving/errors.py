"""Turns every error into an answer of the API: JSON with the message and the field at fault."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ml.errors import TesseraError
from ml.experiments.definition.definition import UnknownExperimentError

logger = logging.getLogger("tessera.serving")
FAILURE = "the service failed on this request; its log says why"


class ApiError(TesseraError):
    """A request that cannot be answered.

    Args:
        status: HTTP status.
        message: What is wrong and what to do.
        field: The part of the request that is at fault; None if there is none.
        retry_after_seconds: When the same request can succeed; None if it cannot.
    """

    def __init__(
        self, status: int, message: str, field: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.retry_after_seconds = retry_after_seconds


class JSON(Response):
    """A JSON response."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Serialize with orjson; numpy numbers become plain numbers."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def error_answer(status: int, message: str, field: str | None = None) -> JSON:
    """Return `{"error": {"message", "field"}}`; `field` is left out if no field is at fault."""
    error: dict[str, str] = {"message": message}
    if field is not None:
        error["field"] = field
    return JSON({"error": error}, status_code=status)


def describe_invalid_body(error: ValidationError) -> ApiError:
    """Return the first fault of a body as an error of the API."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    message = first_message(error)
    if first["type"] == "extra_forbidden":
        message = "there is no such field"
    return ApiError(422 if first["type"] != "json_invalid" else 400, message, field)


def first_message(error: ValidationError) -> str:
    """Return what is wrong with the first fault of a value, without the words that pydantic puts before it."""
    return error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")


def answer_error(error: Exception, subject: str, failure: str = FAILURE) -> JSON:
    """Answer a request that raised an error.

    An error of the API says what is wrong. Anything else is a failure of the service: it is logged with its stack
    and answered in general terms, because its message may hold what the caller must not see.

    Args:
        error: The error.
        subject: What failed, for the log. It must not be a path, which may hold an id.
        failure: The general terms.
    """
    if isinstance(error, ApiError):
        answer = error_answer(error.status, error.message, error.field)
        if error.retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
        if error.status == 413:
            answer.headers["Connection"] = "close"  # the rest of the body is not worth reading
        return answer
    if isinstance(error, UnknownExperimentError):
        return error_answer(404, str(error), "experiment_id")
    logger.error("%s failed", subject, exc_info=error)
    return error_answer(500, failure)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Answer what Starlette itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = f"there is nothing at {request.url.path}; /docs lists what there is"
    if error.status_code == 405:
        message = f"{request.method} is not possible at {request.url.path}"
    answer = error_answer(error.status_code, message)
    answer.headers.update(error.headers or {})
    return answer


async def _answer_error(request: Request, error: Exception) -> Response:
    """Answer any other error. The endpoint's name is logged, not the path, which may hold an id."""
    return answer_error(error, getattr(request.scope.get("endpoint"), "__qualname__", "a request"))


ERROR_HANDLERS: Mapping[Any, Any] = {
    TesseraError: _answer_error,
    HTTPException: _answer_http_error,
    Exception: _answer_error,
}
"""How the application answers each kind of error."""
