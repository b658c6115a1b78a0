"""`GET /v1/onboarding`: what to ask a newcomer, and the next thing to ask a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON
from serving.privacy.person_ids import clean_person, find_person_key
from serving.privacy.personalization import may_personalize
from serving.routes.bodies import check_person
from serving.routes.browser_routes import browser_route
from serving.tessera import Tessera

LISTED_TOPICS = 12
ANSWER_INTERESTS = "PUT /v1/users/{id}/preferences"
ANSWER_CONSENT = "POST /v1/events, consent_granted"


def onboarding_routes(tessera: Tessera) -> list[Route]:
    """Create the routes. A question about a person needs a secret key."""

    async def onboarding(request: Request) -> Response:
        tessera.access.caller(request)
        answer: dict[str, Any] = {"questions": list_questions(tessera)}
        if "user_id" in request.query_params:
            tessera.access.require_trusted(request)
            answer["next"] = find_next_question(
                tessera, clean_person(tessera, check_person(request.query_params["user_id"]))
            )
        return JSON(answer)

    return [browser_route(tessera.cors, "/v1/onboarding", onboarding, "GET")]


def list_questions(tessera: Tessera) -> list[dict[str, Any]]:
    """Return the question about interests with its topics, the most informative first; [] without a bundle."""
    index, welcome = tessera.champion.index, tessera.champion.welcome
    if index is None:
        return []
    topics = welcome.choices() if welcome else []
    if not topics:
        sizes = [
            (float(index.popularity[index.category == code].sum()), name)
            for code, name in enumerate(index.categories)
        ]
        topics = [name for _, name in sorted(sizes, key=lambda pair: (-pair[0], pair[1]))]
    return [
        {
            "id": "interests",
            "question": "What interests you?",
            "choices": topics[:LISTED_TOPICS],
            "answer_with": ANSWER_INTERESTS,
        }
    ]


def find_next_question(tessera: Tessera, user: str) -> dict[str, Any] | None:
    """Return the next thing to ask this person for, with its benefit; None if nothing would help enough."""
    tessera.catch_up()
    bundle, state = tessera.champion, tessera.state
    if bundle.welcome is None or user in tessera.erased:
        return None
    key = find_person_key(tessera, user)
    profile = state.profile(key)
    is_personal = may_personalize(state, bundle, (key,), profile)
    visitor = bundle.find_visitor(key, state.activity) if is_personal else None
    knobs = tessera.config.settings.recommenders.profiling
    has_country = bundle.user_facts(key).get("country") is not None
    prompt = bundle.welcome.prompt(
        len(visitor.recent) if visitor else 0,
        list(profile.get("interests") or ()),
        frozenset({"location"} if has_country else ()),
        knobs.incentive,
        knobs.least_gain,
    )
    if prompt is None:
        return None
    return {**asdict(prompt), "answer_with": ANSWER_CONSENT if prompt.is_consent else ANSWER_INTERESTS}
