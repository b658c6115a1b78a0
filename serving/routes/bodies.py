"""Reads and checks the body, the path and the query of a request."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qs

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from serving.errors import ApiError, describe_invalid_body, first_message
from serving.requests import Body, PersonId

MAX_BODY_BYTES = 1_000_000
MOST_FORM_BYTES = 20_000
MOST_FORM_FIELDS = 500
B = TypeVar("B", bound=Body)
_PERSON: TypeAdapter[str] = TypeAdapter(PersonId)


async def read_body(request: Request, model: type[B]) -> B:
    """Read and check the body.

    Raises:
        ApiError: 413 if it is too large, 400 if it is no JSON, 422 if a field is wrong.
    """
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(413, f"the body has {len(body)} bytes; at most {MAX_BODY_BYTES} are taken", "body")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise describe_invalid_body(error) from None


def read_person(request: Request) -> str:
    """Return the `user_id` of the path as the caller wrote it, for what also concerns older records.

    Raises:
        ApiError: 422, it is no identifier.
    """
    return check_person(request.path_params["user_id"])


def check_person(user_id: str) -> str:
    """Return the id unchanged.

    Raises:
        ApiError: 422, it is no identifier.
    """
    try:
        return _PERSON.validate_python(user_id)
    except ValidationError as error:
        raise ApiError(422, first_message(error), "user_id") from None


def read_flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a flag of the query, or the default if it is left out.

    A wrong value is an error, because a preview that is mistaken for the real change cannot be undone.

    Raises:
        ApiError: 422, it is neither true nor false.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if text not in {"true", "1", "false", "0"}:
        raise ApiError(422, f"{name} is {text[:40]!r}; true or false is needed", name)
    return text in {"true", "1"}


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """Return a whole number of the query.

    Raises:
        ApiError: 422, it is no number from 1 to `most`.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ApiError(422, f"{name} is {text[:40]!r}; a whole number from 1 to {most} is needed", name)
    return int(text)


async def read_form(request: Request) -> dict[str, list[str]]:
    """Read the fields of a form, each with its values.

    Raises:
        ApiError: 413, it is far larger than any form of the pages; 422, it is no text.
    """
    body = await request.body()
    if len(body) > MOST_FORM_BYTES:
        raise ApiError(413, f"a form has at most {MOST_FORM_BYTES} bytes")
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=MOST_FORM_FIELDS)
    except ValueError:
        raise ApiError(422, "this is not a form") from None
