"""`/v1/users/{id}`: what is known of a person, and what the person says about it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.erasure.people import ids_of
from ml.erasure.receipts import ErasureDesk
from ml.events.log import EventLog
from serving.errors import JSON, ApiError
from serving.privacy.erasure import erase
from serving.privacy.export import exported
from serving.recommend.answering import preview
from serving.recommend.segmenting import segment_of
from serving.requests import Preferences, RecommendationRequest
from serving.routes.bodies import body_as, person_of, yes_or_no
from serving.tessera import Tessera

NOTHING_KNOWN = "nothing is known of this user"
RECENT = 20
TOLD_APART = frozenset({"user_id", "segment", "persona", "daypart"})


def user_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file."""
    desk = ErasureDesk(tessera.start.home)

    async def user(request: Request) -> Response:
        tessera.access.trusted(request)
        if request.method == "DELETE":
            return JSON(await erase(tessera, desk, person_of(request)), status_code=202)
        known = known_of(tessera, person_of(request))
        if known is None:
            raise ApiError(404, NOTHING_KNOWN, "user_id")
        return JSON(known)

    async def preferences(request: Request) -> Response:
        tessera.access.trusted(request)
        wanted = await body_as(request, Preferences)
        is_trial = yes_or_no(request, "preview")
        return JSON(await set_preferences(tessera, person_of(request), wanted, is_trial))

    async def export(request: Request) -> Response:
        tessera.access.trusted(request)
        user_id = person_of(request)
        ids = await run_in_threadpool(ids_of, EventLog(tessera.start.home), user_id, tessera.pseudonyms)
        known = {one: known_of(tessera, one) for one in ids}
        found = await run_in_threadpool(exported, tessera.start.home, ids, known)
        if not found["events"] and not any(known.values()):
            raise ApiError(404, NOTHING_KNOWN, "user_id")
        return JSON(found)

    async def erasure(request: Request) -> Response:
        tessera.access.trusted(request)
        receipt = desk.receipt(request.path_params["receipt_id"])
        if receipt is None:
            raise ApiError(404, "there is no such receipt", "receipt_id")
        return JSON(receipt)

    return [
        Route("/v1/users/{user_id}", user, methods=["GET", "DELETE"]),
        Route("/v1/users/{user_id}/preferences", preferences, methods=["PUT"]),
        Route("/v1/users/{user_id}/export", export, methods=["GET"]),
        Route("/v1/erasures/{receipt_id}", erasure, methods=["GET"]),
    ]


def known_of(tessera: Tessera, user: str) -> dict[str, Any] | None:
    """Segment, persona, facts from the bundle; recent items and settings from the state; what is shown and why.

    Somebody whom the bundle does not know gets the segment of what was opened lately. None where nothing is
    known.
    """
    if user in tessera.erased:
        return None
    state = tessera.state
    state.catch_up()
    ranking, profile = tessera.ranking, state.profile(user)
    visitor = ranking.visitor(user, state.activity)
    facts = ranking.facts(user)
    if not facts and visitor is None and not profile:
        return None
    is_personalized = not profile.get("opt_out") and not (visitor is not None and visitor.is_withdrawn)
    segment = segment_of(
        ranking.segmentation if is_personalized else None,
        facts,
        visitor,
        state.activity,
        tessera.start.settings.warehouse.dayparts,
    )
    recent = visitor.recent[-RECENT:][::-1] if visitor else []
    return {
        "user_id": user,
        **segment,
        "daypart": facts.get("daypart"),
        "facts": {name: value for name, value in facts.items() if name not in TOLD_APART and value is not None},
        "recent": [
            {"item_id": state.activity.items[key], "at": dt.datetime.fromtimestamp(at, dt.UTC).isoformat()}
            for key, at in recent
        ],
        "rejected": sorted(state.activity.items[key] for key in visitor.rejected) if visitor else [],
        "is_personalized": is_personalized,
        "preferences": profile,
        "items": preview(tessera, RecommendationRequest(user_id=user), profile),
    }


async def set_preferences(tessera: Tessera, user: str, wanted: Preferences, is_trial: bool) -> dict[str, Any]:
    """Change what a person set; a trial changes nothing and shows what the first page would become."""
    if user in tessera.erased:
        raise ApiError(404, "this id was erased; nothing is kept of it any more", "user_id")
    state = tessera.state
    state.catch_up()
    changed = wanted.model_dump(mode="json", by_alias=True, include=wanted.model_fields_set)
    profile = {name: value for name, value in {**state.profile(user), **changed}.items() if value is not None}
    request = RecommendationRequest(user_id=user)
    if is_trial:
        return {
            "user_id": user,
            "preferences": profile,
            "before": preview(tessera, request, state.profile(user)),
            "after": preview(tessera, request, profile),
        }
    now = tessera.clock().timestamp()
    events = [{"event_type": "preference", "properties": changed}, *consent_change(state.profile(user), profile)]
    refused = await tessera.collector.record([{**event, "user_id": user, "occurred_at": now} for event in events])
    if refused:
        raise ApiError(422, refused[0].reason, refused[0].field)
    state.put_profile(user, profile, now)
    return {"user_id": user, "preferences": profile}


def consent_change(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Who turns personalization off or on again withdraws or grants it: then training and audiences follow too."""
    if bool(before.get("opt_out")) == bool(after.get("opt_out")):
        return []
    if after.get("opt_out"):
        return [{"event_type": "consent_withdrawn", "properties": {"purposes": ["personalization"]}}]
    return [{"event_type": "consent_granted", "consent": ["analytics", "personalization"]}]
