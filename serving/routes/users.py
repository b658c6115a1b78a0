"""`/v1/users/{id}` and `/v1/onboarding`: what is known of a person, and what the person says about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.erasure.log import count_open
from ml.erasure.people import ids_of
from ml.erasure.receipts import ONLINE_STATE, ErasureDesk
from ml.event_log import EventLog
from ml.pseudonyms import Pseudonyms
from ml.recommenders.welcome import FILE as WELCOME
from ml.recommenders.welcome import Welcome
from serving.answering import preview
from serving.errors import JSON, ApiError
from serving.privacy.export import exported
from serving.requests import Preferences, RecommendationRequest
from serving.routes.bodies import body_as, person_of
from serving.segmenting import segment_of
from serving.tessera import Tessera

RECENT = 20
TOPICS_ASKED = 12
TOLD_APART = frozenset({"user_id", "segment", "persona", "daypart"})
OPEN_PLACES = ("event log", "dead letters")  # have files that sealing takes the person out of


def user_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file."""
    desk = ErasureDesk(tessera.start.home)

    async def user(request: Request) -> Response:
        tessera.access.trusted(request)
        if request.method == "DELETE":
            return JSON(await erase(tessera, desk, person_of(request)), status_code=202)
        return JSON(known_of(tessera, person_of(request)))

    async def preferences(request: Request) -> Response:
        tessera.access.trusted(request)
        wanted = await body_as(request, Preferences)
        is_trial = request.query_params.get("preview") in {"true", "1"}
        return JSON(await set_preferences(tessera, person_of(request), wanted, is_trial))

    async def export(request: Request) -> Response:
        tessera.access.trusted(request)
        user_id = person_of(request)
        return JSON(await run_in_threadpool(exported, tessera.start.home, user_id, known_of(tessera, user_id)))

    async def erasure(request: Request) -> Response:
        tessera.access.trusted(request)
        receipt = desk.receipt(request.path_params["receipt_id"])
        if receipt is None:
            raise ApiError(404, "there is no such receipt", "receipt_id")
        return JSON(receipt)

    async def onboarding(request: Request) -> Response:
        tessera.access.caller(request)
        welcome, user_id = welcome_of(tessera), request.query_params.get("user_id")
        answer: dict[str, Any] = {"questions": onboarding_questions(tessera, welcome)}
        if user_id is not None:
            tessera.access.trusted(request)
            answer["next"] = next_question(tessera, welcome, user_id)
        return JSON(answer)

    return [
        Route("/v1/users/{user_id}", user, methods=["GET", "DELETE"]),
        Route("/v1/users/{user_id}/preferences", preferences, methods=["PUT"]),
        Route("/v1/users/{user_id}/export", export, methods=["GET"]),
        Route("/v1/erasures/{receipt_id}", erasure, methods=["GET"]),
        Route("/v1/onboarding", onboarding, methods=["GET"]),
    ]


def known_of(tessera: Tessera, user: str) -> dict[str, Any]:
    """Segment, persona, facts from the bundle; recent items and settings from the state; what is shown and why.

    Somebody whom the bundle does not know gets the segment of what was opened lately.

    Raises:
        ApiError: 404, nothing is known.
    """
    if user in tessera.erased:
        raise ApiError(404, "nothing is known of this user", "user_id")
    state = tessera.state
    state.catch_up()
    ranking, profile = tessera.ranking, state.profile(user)
    row = ranking.shelf.user_rows.get(user) if ranking.shelf else None
    visitor = ranking.linked.remembered(state.activity.visitor(user), row, state.activity.limits)
    facts = ranking.facts(user)
    if not facts and visitor is None and not profile:
        raise ApiError(404, "nothing is known of this user", "user_id")
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


async def erase(tessera: Tessera, desk: ErasureDesk, user: str) -> dict[str, Any]:
    """Clear the online state at once, tell the log, and open a receipt for all other places.

    From here on the person is a stranger to this service, and the log takes no event of theirs any more.
    """
    now, home = tessera.clock(), tessera.start.home
    ids = await run_in_threadpool(ids_of, EventLog(home), user, Pseudonyms(home.path))
    receipt = await run_in_threadpool(desk.open, ids, now)
    receipt_id = receipt["receipt_id"]
    for place, count in zip(OPEN_PLACES, await run_in_threadpool(count_open, home, ids), strict=True):
        desk.removed(receipt_id, place, count)
    tessera.erased.add(ids)
    for one in ids:
        tessera.recommending.learning.forget(one)
        desk.removed(receipt_id, ONLINE_STATE, tessera.state.forget(one))
    desk.verified(receipt_id, ONLINE_STATE, "no change or profile of the person is left in store or memory")
    erased = {"event_type": "erased", "anonymous_id": receipt["subject"], "occurred_at": now.timestamp()}
    await tessera.collector.record([{**erased, "properties": {"receipt_id": receipt_id}}])
    tessera.collector.seal_soon()
    return desk.receipt(receipt_id) or receipt


def welcome_of(tessera: Tessera) -> Welcome | None:
    """What the bundle knows of welcoming people, None without a bundle or a champion."""
    shelf = tessera.ranking.shelf
    file = None if shelf is None else shelf.bundle.path / WELCOME
    return Welcome.load(file) if file is not None and file.exists() else None


def onboarding_questions(tessera: Tessera, welcome: Welcome | None) -> list[dict[str, Any]]:
    """The topics that tell most, else those that most people open; empty without a bundle."""
    shelf = tessera.ranking.shelf
    if shelf is None:
        return []
    topics = welcome.choices() if welcome else []
    if not topics:
        sizes = [
            (float(shelf.popularity[shelf.category == code].sum()), name)
            for code, name in enumerate(shelf.categories)
        ]
        topics = [name for _, name in sorted(sizes, key=lambda pair: (-pair[0], pair[1]))]
    return [
        {
            "id": "interests",
            "question": "What interests you?",
            "choices": topics[:TOPICS_ASKED],
            "answer_with": "PUT /v1/users/{id}/preferences",
        }
    ]


def next_question(tessera: Tessera, welcome: Welcome | None, user: str) -> dict[str, Any] | None:
    """The one next thing to ask this person for, with its benefit; None if nothing would help enough."""
    if welcome is None:
        return None
    state = tessera.state
    state.catch_up()
    visitor, profile = state.activity.visitor(user), state.profile(user)
    knobs = tessera.start.settings.recommenders.profiling
    has_country = tessera.ranking.facts(user).get("country") is not None
    prompt = welcome.prompt(
        len(visitor.recent) if visitor else 0,
        list(profile.get("interests", ())),
        frozenset({"location"} if has_country else ()),
        knobs.incentive,
        knobs.least_gain,
    )
    return None if prompt is None else asdict(prompt)
