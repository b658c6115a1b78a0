"""`GET /v1/onboarding`: what to ask a newcomer, and the one next thing to ask a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON
from serving.routes.bodies import checked_person
from serving.tessera import Tessera

TOPICS_ASKED = 12
ANSWER_INTERESTS = "PUT /v1/users/{id}/preferences"
ANSWER_CONSENT = "POST /v1/events, consent_granted"


def onboarding_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file. Asking about a person needs a secret key."""

    async def onboarding(request: Request) -> Response:
        tessera.access.caller(request)
        answer: dict[str, Any] = {"questions": onboarding_questions(tessera)}
        if "user_id" in request.query_params:
            tessera.access.trusted(request)
            answer["next"] = next_question(tessera, checked_person(request.query_params["user_id"]))
        return JSON(answer)

    return [Route("/v1/onboarding", onboarding, methods=["GET"])]


def onboarding_questions(tessera: Tessera) -> list[dict[str, Any]]:
    """The topics that tell most, else those that most people open; empty without a bundle."""
    shelf, welcome = tessera.ranking.shelf, tessera.ranking.welcome
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
            "answer_with": ANSWER_INTERESTS,
        }
    ]


def next_question(tessera: Tessera, user: str) -> dict[str, Any] | None:
    """The one next thing to ask this person for, with its benefit; None if nothing would help enough."""
    ranking, state = tessera.ranking, tessera.state
    if ranking.welcome is None or user in tessera.erased:
        return None
    state.catch_up()
    profile = state.profile(user)
    visitor = ranking.visitor(user, state.activity)
    knobs = tessera.start.settings.recommenders.profiling
    has_country = ranking.facts(user).get("country") is not None
    prompt = ranking.welcome.prompt(
        len(visitor.recent) if visitor else 0,
        list(profile.get("interests") or ()),
        frozenset({"location"} if has_country else ()),
        knobs.incentive,
        knobs.least_gain,
    )
    if prompt is None:
        return None
    return {**asdict(prompt), "answer_with": ANSWER_CONSENT if prompt.is_consent else ANSWER_INTERESTS}
