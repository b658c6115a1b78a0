"""A request's body and the person in its path, checked."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from serving.errors import ApiError, invalid
from serving.requests import Body, PersonId

MAX_BODY_BYTES = 1_000_000
B = TypeVar("B", bound=Body)
_PERSON: TypeAdapter[str] = TypeAdapter(PersonId)


async def body_as(request: Request, model: type[B]) -> B:
    """Read and check the body.

    Raises:
        ApiError: 413 too large, 400 no JSON, 422 a field is wrong; it names the field.
    """
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(413, f"the body has {len(body)} bytes; at most {MAX_BODY_BYTES} are taken", "body")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def person_of(request: Request) -> str:
    """The `user_id` of the path.

    Raises:
        ApiError: 422, it is no identifier.
    """
    return checked_person(request.path_params["user_id"])


def checked_person(user_id: str) -> str:
    """The id as it is.

    Raises:
        ApiError: 422, it is no identifier.
    """
    try:
        return _PERSON.validate_python(user_id)
    except ValidationError as error:
        raise ApiError(422, error.errors(include_url=False)[0]["msg"], "user_id") from None


def yes_or_no(request: Request, name: str) -> bool:
    """A switch in the query; off where it is left out.

    Raises:
        ApiError: 422, it is neither true nor false. A trial that is taken for the real thing cannot be undone.
    """
    text = request.query_params.get(name, "false")
    if text not in {"true", "1", "false", "0"}:
        raise ApiError(422, f"{name} is {text[:40]!r}; true or false is needed", name)
    return text in {"true", "1"}
