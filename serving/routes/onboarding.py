"""`GET /v1/onboarding`: what to ask a newcomer, and about an item or a person."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON
from serving.privacy.person_ids import clean_person, find_person_key
from serving.privacy.personalization import may_personalize
from serving.recommend.questions import ask_about_item, ask_about_segment, ask_about_site, describe_prompt
from serving.recommend.user_segment import describe_segment
from serving.routes.bodies import check_person
from serving.routes.browser_routes import browser_route
from serving.tessera import Tessera


def onboarding_routes(tessera: Tessera) -> list[Route]:
    """Create the routes. A question about a person needs a secret key."""

    async def onboarding(request: Request) -> Response:
        tessera.access.caller(request)
        user, item_id = request.query_params.get("user_id"), request.query_params.get("item_id")
        if user is None:
            return JSON({"questions": list_questions(tessera, item_id=item_id)})
        tessera.access.require_trusted(request)
        user = clean_person(tessera, check_person(user))
        next_question = find_next_question(tessera, user)
        return JSON({"questions": list_questions(tessera, user, item_id), "next": next_question})

    return [browser_route(tessera.cors, "/v1/onboarding", onboarding, "GET")]


def list_questions(tessera: Tessera, user: str | None = None, item_id: str | None = None) -> list[dict[str, Any]]:
    """Return what may be asked about the site, about an item, and about the segment of a person who has one.

    Raises:
        ApiError: 404, the published version has no such item.
    """
    bundle = tessera.champion
    questions = ask_about_site(bundle)
    if item_id is not None:
        questions.append(ask_about_item(bundle, item_id))
    if user is not None and not tessera.erased.has_device(user):
        tessera.catch_up()
        state, key = tessera.state, find_person_key(tessera, user)
        if may_personalize(state, bundle, (key,), state.profile(key)):
            visitor = bundle.find_visitor(key, state.activity)
            segment = describe_segment(bundle.segmentation, bundle.user_facts(key), visitor, state.activity)
            questions += ask_about_segment(segment)
    return questions


def find_next_question(tessera: Tessera, user: str) -> dict[str, Any] | None:
    """Return the next thing to ask this person for, with its benefit; None if nothing would help enough."""
    tessera.catch_up()
    bundle, state = tessera.champion, tessera.state
    if bundle.welcome is None or tessera.erased.has_device(user):
        return None
    key = find_person_key(tessera, user)
    profile = state.profile(key)
    is_personal = may_personalize(state, bundle, (key,), profile)
    visitor = bundle.find_visitor(key, state.activity) if is_personal else None
    knobs = tessera.config.settings.recommenders.profiling
    has_country = is_personal and bundle.user_facts(key).get("country") is not None
    prompt = bundle.welcome.prompt(
        len(visitor.recent) if visitor else 0,
        list(profile.get("interests") or ()),
        frozenset({"location"} if has_country else ()),
        knobs.incentive,
        knobs.least_gain,
    )
    if prompt is None:
        return None
    return describe_prompt(prompt)
