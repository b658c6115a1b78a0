"""Errors as the API answers them: JSON with what is wrong and the field at fault."""

from __future__ import annotations

import logging

import orjson
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ml.errors import TesseraError

logger = logging.getLogger("tessera.serving")


class ApiError(TesseraError):
    """A request that cannot be answered; `field` is the part of the request at fault, if there is one."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field


class JSON(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Serialise with orjson; numbers of numpy are plain numbers."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def error_answer(status: int, message: str, field: str | None = None) -> JSON:
    """`{"error": {"message", "field"}}`; `field` is left out where no field is at fault."""
    error: dict[str, str] = {"message": message}
    if field is not None:
        error["field"] = field
    return JSON({"error": error}, status_code=status)


def invalid(error: ValidationError) -> ApiError:
    """The first thing that is wrong with a body, as an error of the API."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such field"
    return ApiError(422 if first["type"] != "json_invalid" else 400, message, place)


async def on_api_error(_: Request, error: Exception) -> Response:
    """Answer of an ApiError."""
    assert isinstance(error, ApiError)
    return error_answer(error.status, error.message, error.field)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer of what Starlette itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = f"there is nothing at {request.url.path}; /docs lists what there is"
    if error.status_code == 405:
        message = f"{request.method} is not possible at {request.url.path}"
    answer = error_answer(error.status_code, message)
    answer.headers.update(error.headers or {})
    return answer


async def on_failure(request: Request, error: Exception) -> Response:
    """Answer of a defect: logged with its stack, told in general. The path is not logged, it may hold an id."""
    logger.error("%s failed", getattr(request.scope.get("endpoint"), "__qualname__", "a request"), exc_info=error)
    return error_answer(500, "the service failed on this request; its log says why")
