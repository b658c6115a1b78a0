"""`/v1/users/{id}`: what the service holds about a person, and what the person changes about it."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.erasure.people import find_person_ids
from ml.erasure.receipts import ErasureReceipts
from ml.events.log import EventLog
from ml.privacy.person_key import ANONYMOUS, possible_person_keys
from serving.errors import JSON, ApiError
from serving.privacy.erasure import erase
from serving.privacy.export import export_person
from serving.privacy.person_description import describe_user
from serving.privacy.person_ids import clean_person, gone
from serving.privacy.preference_changes import set_preferences
from serving.requests import Preferences
from serving.routes.bodies import read_body, read_flag, read_person
from serving.tessera import Tessera

UNKNOWN_USER = "nothing is known about this user"
ID_TYPES = ("user", "anonymous")
"""What `id_type` in a query says that an id names, in the order of `possible_person_keys`."""


def user_routes(tessera: Tessera) -> list[Route]:
    """Create the routes."""
    desk = ErasureReceipts(tessera.config.home)

    async def user(request: Request) -> Response:
        tessera.access.require_trusted(request)
        if request.method == "DELETE":
            person = read_person(request)
            is_device = (_read_key(request, person) or "").startswith(ANONYMOUS)
            return JSON(await erase(tessera, desk, person, is_device=is_device), status_code=202)
        person = clean_person(tessera, read_person(request))
        description = describe_user(tessera, person, _read_key(request, person))
        if description is None:
            raise ApiError(404, UNKNOWN_USER, "user_id")
        return JSON(description)

    async def preferences(request: Request) -> Response:
        tessera.access.require_trusted(request)
        changes = await read_body(request, Preferences)
        is_preview = read_flag(request, "preview")
        person = clean_person(tessera, read_person(request))
        key = _read_key(request, person) or possible_person_keys(person)[0]
        return JSON(await set_preferences(tessera, key, changes, is_preview))

    async def export(request: Request) -> Response:
        tessera.access.require_trusted(request)
        user_id = read_person(request)
        tessera.catch_up()
        if user_id in tessera.erased:
            raise gone()
        ids = await run_in_threadpool(find_person_ids, EventLog(tessera.config.home), user_id, tessera.pseudonyms)
        exported = await export_person(tessera, ids)
        if not exported["events"] and not exported["known"] and not exported["known_by_other_ids"]:
            raise ApiError(404, UNKNOWN_USER, "user_id")
        return JSON(exported)

    async def erasure(request: Request) -> Response:
        tessera.access.require_trusted(request)
        receipt = desk.receipt(request.path_params["receipt_id"])
        if receipt is None:
            raise ApiError(404, "there is no such receipt", "receipt_id")
        return JSON(receipt)

    return [
        Route("/v1/users/{user_id:any_text}/preferences", preferences, methods=["PUT"]),
        Route("/v1/users/{user_id:any_text}/export", export, methods=["GET"]),
        Route("/v1/users/{user_id:any_text}", user, methods=["GET", "DELETE"]),
        Route("/v1/erasures/{receipt_id}", erasure, methods=["GET"]),
    ]


def _read_key(request: Request, person: str) -> str | None:
    """Return the key of a person if the query says what the id names; None if it does not say.

    Raises:
        ApiError: 422, `id_type` is neither user nor anonymous.
    """
    id_type = request.query_params.get("id_type")
    if id_type is None:
        return None
    if id_type not in ID_TYPES:
        raise ApiError(422, f"id_type is {id_type[:40]!r}; user or anonymous is needed", "id_type")
    return possible_person_keys(person)[ID_TYPES.index(id_type)]
