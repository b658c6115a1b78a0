"""The steps that recommendations and decisions share before either is answered."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from ml.decisions.activity.visitors import Visitor
from ml.decisions.rules.display_caps import is_slot_capped
from serving.context.situation import Situation, check_context, merge_situation, place_coordinates
from serving.errors import ApiError
from serving.experiment.treatments import Treatment
from serving.privacy.person_ids import clean_person
from serving.privacy.personalization import may_personalize
from serving.requests import RecommendationRequest
from serving.tessera import Tessera

R = TypeVar("R", bound=RecommendationRequest)
FINE_PLACE = frozenset({"region", "city", "latitude", "longitude"})


def drop_erased_ids(tessera: Tessera, request: R) -> R:
    """Return the request without erased ids, so that such a person is a stranger and nothing is logged.

    An e-mail address as an id becomes the pseudonym under which events keep it. The service has caught up before.

    Raises:
        ApiError: 422, the site refuses such an id.
    """
    ids = {name: getattr(request, name) for name in ("user_id", "anonymous_id") if getattr(request, name)}
    cleaned = {name: clean_person(tessera, person, name) for name, person in ids.items()}
    if cleaned != ids:
        request = request.model_copy(update=cleaned)
    if not tessera.erased:
        return request
    erased = {"user_id": None} if request.user_id in tessera.erased else {}
    if tessera.erased.has_device(request.anonymous_id):
        erased["anonymous_id"] = None
    return request.model_copy(update=erased) if erased else request


def build_situation(
    tessera: Tessera, request: RecommendationRequest, headers: dict[str, Any], at: dt.datetime
) -> Situation:
    """Combine what the request and its headers say about the situation.

    Of somebody who consents to personalization, the last events and the bundle say the rest.

    Raises:
        ApiError: 422, a field of the request's context is wrong.
    """
    user_facts = find_usable_facts(tessera, request.keys)
    visitor = tessera.state.activity.find_visitor(request.person) if request.person else None
    last: dict[str, Any] = {}
    if visitor is not None and user_facts is not None:
        last = {
            "country": visitor.country,
            "region": visitor.region,
            "device_type": visitor.device,
            "language": visitor.language,
        }
    context = check_context(request.context)
    place = place_coordinates(context, tessera.config.settings.privacy.coordinate_decimals)
    if not _may_locate(visitor, request):
        context = {name: value for name, value in context.items() if name not in FINE_PLACE}
    return merge_situation(
        at,
        (context, place, headers, last, user_facts or {}),
        tessera.config.settings.decisions.dayparts,
        tessera.surroundings,
    )


def _may_locate(visitor: Visitor | None, request: RecommendationRequest) -> bool:
    """Return whether an answer may use a place finer than the country.

    The person's newest event that lists purposes decides. Without one the consent of the caller's key counts, as
    it does for events: a browser key grants nothing.
    """
    if visitor is not None and visitor.located_at > -math.inf:
        return visitor.may_locate
    return request.is_trusted


def find_usable_facts(tessera: Tessera, keys: tuple[str | None, str | None]) -> Mapping[str, Any] | None:
    """Return what the bundle says about a person, empty for a stranger; None without consent to use it.

    Args:
        tessera: The service.
        keys: Keys of the user and of the device.
    """
    person = keys[0] or keys[1]
    if person is None:
        return None
    profile = tessera.state.profile_or_opt_out(person)
    if not may_personalize(tessera.state, tessera.champion, keys, profile):
        return None
    return tessera.champion.user_facts(person)


def refuse_flood(tessera: Tessera, request: RecommendationRequest, at: dt.datetime) -> None:
    """Check how often the slot was requested for the person.

    Raises:
        ApiError: 429, it was requested too often within an hour.
    """
    counted = request.counted_person
    visitor = tessera.state.activity.find_visitor(counted) if counted else None
    most = tessera.config.settings.decisions.caps.slot_impressions_per_hour
    if is_slot_capped(visitor, request.slot, at.timestamp(), most):
        raise ApiError(429, f"slot {request.slot!r} was requested {most} times in an hour for one person", "slot")


def assign_treatment(
    tessera: Tessera,
    request: RecommendationRequest,
    aspects: frozenset[str],
    situation: Situation,
    at: dt.datetime,
) -> Treatment:
    """Assign the request to the experiments about these aspects of its answer."""
    user_facts = find_usable_facts(tessera, request.keys)
    facts = {**situation.facts, **(user_facts or {}), "daypart": situation.local.daypart}
    if user_facts is not None:
        facts |= tessera.champion.tell_intent(request.person, tessera.state.activity, at.timestamp())
    return tessera.treatment_assigner.assign(
        request, aspects, facts, at, has_challenger=tessera.challenger is not None
    )
