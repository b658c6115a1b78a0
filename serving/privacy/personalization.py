"""Decides whether an answer may use what is known of a person: everything that answers requests asks here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.events.personalization_consent import PersonalizationConsent
from serving.bundles.served_bundle import ServedBundle
from serving.requests import RecommendationRequest
from serving.state.online import OnlineState


def keys_of(state: OnlineState, request: RecommendationRequest) -> tuple[str | None, ...]:
    """Return the keys of the person of a request: of the user and the device, or of who opened the session."""
    if request.person is not None or request.session_id is None:
        return request.keys
    visit = state.activity.find_visit(request.session_id, None, 0.0)
    return (visit.user,) if visit is not None else ()


def find_consent(state: OnlineState, bundle: ServedBundle, keys: Sequence[str | None]) -> PersonalizationConsent:
    """Return what the events of a person say about personalization; do not change the result.

    Of somebody whose events memory does not hold, the bundle says what they had consented to when it was made.

    Args:
        state: The online state.
        bundle: The bundle that answers.
        keys: Keys of the person: of the user, of the device, or both.
    """
    consent = state.activity.find_consent(*keys)
    if consent.has_statement or bundle.index is None:
        return consent
    published = PersonalizationConsent()
    published.merge(consent)
    for key in keys:
        row = bundle.index.user_rows.get(key) if key else None
        if row is not None:
            published.state(bundle.index.bundle.as_of.timestamp(), bundle.index.has_consent(row))
    return published


def may_personalize(
    state: OnlineState, bundle: ServedBundle, keys: Sequence[str | None], profile: Mapping[str, Any]
) -> bool:
    """Return whether an answer may use the history, segment, interests and place of a person.

    Args:
        state: The online state.
        bundle: The bundle that answers.
        keys: Keys of the person: of the user, of the device, or both.
        profile: What the person set.
    """
    return not profile.get("opt_out") and find_consent(state, bundle, keys).is_granted


def has_refused(state: OnlineState, keys: Sequence[str | None], profile: Mapping[str, Any]) -> bool:
    """Return whether a person opted out or refused; somebody who never said anything has not."""
    return bool(profile.get("opt_out")) or state.activity.find_consent(*keys).has_refused
