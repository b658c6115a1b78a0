"""`/v1/users/{id}`: what is known of a person, for the person."""

from __future__ import annotations

import datetime as dt
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON, ApiError
from serving.tessera import Tessera

RECENT = 20


def user_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file."""

    async def user(request: Request) -> Response:
        tessera.access.trusted(request)
        return JSON(known_of(tessera, request.path_params["user_id"]))

    return [Route("/v1/users/{user_id}", user, methods=["GET"])]


def known_of(tessera: Tessera, user: str) -> dict[str, Any]:
    """Segment, persona and interests from the bundle; recent items and settings from the state.

    Raises:
        ApiError: 404, nothing is known.
    """
    state = tessera.state
    state.catch_up()
    visitor, profile = state.activity.visitor(user), state.profile(user)
    facts = dict(tessera.ranking.facts(user))
    if not facts and visitor is None and not profile:
        raise ApiError(404, "nothing is known of this user", "user_id")
    recent = visitor.recent[-RECENT:][::-1] if visitor else []
    return {
        "user_id": user,
        "segment": facts.pop("segment", None),
        "persona": facts.pop("persona", None),
        "daypart": facts.pop("daypart", None),
        "facts": {name: value for name, value in facts.items() if name != "user_id" and value is not None},
        "recent": [
            {"item_id": state.activity.items[key], "at": dt.datetime.fromtimestamp(at, dt.UTC).isoformat()}
            for key, at in recent
        ],
        "preferences": profile,
    }
