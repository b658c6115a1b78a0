"""Describes a person: what the service holds about them, and what is recommended to them now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from ml.bundle import FACTS_WITHOUT_CONSENT
from ml.decisions.items.bundle_index import TRAINED_UNTIL
from ml.privacy.person_key import ids_of_key
from serving.privacy.person_ids import find_person_key, is_erased
from serving.privacy.personalization import may_personalize
from serving.recommend.answers import preview_items
from serving.recommend.user_segment import NO_SEGMENT, describe_segment
from serving.requests import RecommendationRequest
from serving.tessera import Tessera

RECENT = 20
SEPARATE_FIELDS = frozenset({"user_id", "segment", "persona", "daypart", TRAINED_UNTIL})
"""Columns of the bundle that a description has as fields of its own, or that say nothing about the person."""


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
    if is_erased(tessera, key):
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
        "items": preview_items(tessera, request_of(key), profile),
    }


def _describe_intent(tessera: Tessera, key: str) -> dict[str, float]:
    """Return the chances of the visit that runs by what they are of, empty without one."""
    chances = tessera.champion.tell_intent(key, tessera.state.activity, tessera.clock().timestamp())
    return {name.removeprefix("intent."): chance for name, chance in chances.items()}


def request_of(key: str) -> RecommendationRequest:
    """Return a request of a person for what fits them."""
    user_id, anonymous_id = ids_of_key(key)
    return RecommendationRequest(user_id=user_id, anonymous_id=anonymous_id)


def find_item_titles(tessera: Tessera, items: Iterable[str]) -> dict[str, str]:
    """Return the title of each item, or its id where there is none."""
    index = tessera.champion.index
    return {item: (index.find_title(item) if index is not None else None) or item for item in items}
