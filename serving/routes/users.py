"""`/v1/users/{id}`: what the service holds about a person, and what the person changes about it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.bundle import FACTS_WITHOUT_CONSENT
from ml.decisions.items.bundle_index import TRAINED_UNTIL
from ml.erasure.people import find_person_ids
from ml.erasure.receipts import ErasureReceipts
from ml.events.log import EventLog
from ml.events.personalization_consent import PERSONALIZATION
from ml.privacy.person_key import ANONYMOUS, ids_of_key, possible_person_keys
from serving.errors import JSON, ApiError
from serving.privacy.erasure import erase
from serving.privacy.export import export_person
from serving.privacy.person_ids import clean_person, find_person_key
from serving.privacy.personalization import find_consent, may_personalize
from serving.recommend.answers import preview_items
from serving.recommend.interests import check_interests
from serving.recommend.user_segment import NO_SEGMENT, describe_segment
from serving.requests import Preferences, RecommendationRequest
from serving.routes.bodies import read_body, read_flag, read_person
from serving.tessera import Tessera

UNKNOWN_USER = "nothing is known about this user"
RECENT = 20
ID_TYPES = ("user", "anonymous")
"""What `id_type` in a query says that an id names, in the order of `possible_person_keys`."""
SEPARATE_FIELDS = frozenset({"user_id", "segment", "persona", "daypart", TRAINED_UNTIL})
"""Columns of the bundle that a description has as fields of its own, or that say nothing about the person."""


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
        _refuse_erased(tessera, user_id)
        ids = await run_in_threadpool(find_person_ids, EventLog(tessera.config.home), user_id, tessera.pseudonyms)
        descriptions = {person: describe_user(tessera, person) for person in ids.users}
        descriptions |= {device: describe_user(tessera, device, ANONYMOUS + device) for device in ids.devices}
        exported = await run_in_threadpool(export_person, tessera.config.home, ids, descriptions)
        if not exported["events"] and not any(descriptions.values()):
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


def describe_user(tessera: Tessera, user: str, key: str | None = None) -> dict[str, Any] | None:
    """Describe a person: segment and facts of the bundle, recent items, settings, and what is recommended now.

    Somebody whom the bundle does not have gets the segment of what they opened lately. Of somebody who does not
    consent to personalization, no fact is returned from which a page could be made personal.

    Args:
        tessera: The service.
        user: The id.
        key: The key of the person; None if the caller does not say whether the id names a user or a device.

    Returns:
        None if the service holds nothing about the person.
    """
    tessera.catch_up()
    key = key or find_person_key(tessera, user)
    if _is_erased(tessera, key):
        return None
    state = tessera.state
    bundle, profile = tessera.champion, state.profile(key)
    visitor = bundle.find_visitor(key, state.activity)
    facts = bundle.user_facts(key)
    if not facts and visitor is None and not profile:
        return None
    is_personalized = may_personalize(state, bundle, (key,), profile)
    segment = (
        describe_segment(bundle.segmentation, facts, visitor, state.activity) if is_personalized else NO_SEGMENT
    )
    recent = visitor.recent[-RECENT:][::-1] if visitor else []
    other_facts = {
        name: value
        for name, value in facts.items()
        if name not in SEPARATE_FIELDS and value is not None and (is_personalized or name in FACTS_WITHOUT_CONSENT)
    }
    return {
        "user_id": user,
        **segment,
        "daypart": facts.get("daypart") if is_personalized else None,
        "facts": other_facts,
        "intent": _describe_intent(tessera, key) if is_personalized else {},
        "recent": [
            {"item_id": state.activity.items[key], "at": dt.datetime.fromtimestamp(at, dt.UTC).isoformat()}
            for key, at in recent
        ],
        "rejected": sorted(state.activity.items[key] for key in visitor.rejected) if visitor else [],
        "is_personalized": is_personalized,
        "preferences": profile,
        "items": preview_items(tessera, _request_of(key), profile),
    }


def _describe_intent(tessera: Tessera, key: str) -> dict[str, float]:
    """Return the chances of the visit that runs by what they are of, empty without one."""
    chances = tessera.champion.tell_intent(key, tessera.state.activity, tessera.clock().timestamp())
    return {name.removeprefix("intent."): chance for name, chance in chances.items()}


async def set_preferences(tessera: Tessera, key: str, changes: Preferences, is_preview: bool) -> dict[str, Any]:
    """Change what a person set. A preview changes nothing and returns the items before and after.

    Args:
        tessera: The service.
        key: The key of the person.
        changes: What is set.
        is_preview: Whether nothing is to be changed.

    Raises:
        ApiError: 404 for an erased id, 422 for an unknown interest or if the event contract refuses the change.
    """
    tessera.catch_up()
    if _is_erased(tessera, key):
        raise _gone()
    state = tessera.state
    state.require_store()
    changed = changes.model_dump(mode="json", by_alias=True, include=changes.model_fields_set)
    user_id, anonymous_id = ids_of_key(key)
    before = state.profile(key)
    if changed.get("interests"):
        changed["interests"] = check_interests(changed["interests"], tessera.champion, before)
    profile = {name: value for name, value in {**before, **changed}.items() if value is not None}
    consent = find_consent(state, tessera.champion, (key,))
    granted_by_key = list(tessera.config.settings.privacy.default_consent_trusted)
    if is_preview:
        request = _request_of(key)
        may_use = consent.is_granted if consent.has_statement else PERSONALIZATION in granted_by_key
        # Taking back an opt-out grants consent.
        may_use = may_use or bool(before.get("opt_out") and not profile.get("opt_out"))
        return {
            "user_id": user_id or anonymous_id,
            "preferences": profile,
            "before": preview_items(tessera, request, before),
            "after": preview_items(tessera, request, profile, may_use and not profile.get("opt_out")),
        }
    now = tessera.clock().timestamp()
    consent_events = list_consent_events(before, profile)
    preference: dict[str, Any] = {"event_type": "preference", "properties": changed}
    if not consent.has_statement:  # that of the caller's key counts, as it does for an event
        preference["consent"] = granted_by_key
    events = [preference, *consent_events]
    person = {"user_id": user_id, "anonymous_id": anonymous_id, "occurred_at": now}
    refused = await tessera.collector.record([{**event, **person} for event in events])
    if refused:
        raise ApiError(422, refused[0].reason, refused[0].field)
    state.put_profile(key, profile, now, lists_personalization=None)
    return {"user_id": user_id or anonymous_id, "preferences": profile}


def _request_of(key: str) -> RecommendationRequest:
    user_id, anonymous_id = ids_of_key(key)
    return RecommendationRequest(user_id=user_id, anonymous_id=anonymous_id)


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


def _is_erased(tessera: Tessera, key: str) -> bool:
    user_id, anonymous_id = ids_of_key(key)
    return user_id in tessera.erased or tessera.erased.has_device(anonymous_id)


def _refuse_erased(tessera: Tessera, user: str) -> None:
    if user in tessera.erased:
        raise _gone()


def _gone() -> ApiError:
    return ApiError(404, "this id was erased; nothing about it is kept any more", "user_id")


def list_consent_events(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the consent event that a change of `opt_out` implies, so that training and audiences follow it."""
    if bool(before.get("opt_out")) == bool(after.get("opt_out")):
        return []
    if after.get("opt_out"):
        return [{"event_type": "consent_withdrawn", "properties": {"purposes": ["personalization"]}}]
    return [{"event_type": "consent_granted", "consent": ["analytics", "personalization"]}]
