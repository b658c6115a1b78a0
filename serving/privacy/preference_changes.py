"""Changes what a person set: interests, muted topics, limits, and personalization as a whole."""

from __future__ import annotations

from typing import Any

from ml.events.personalization_consent import PERSONALIZATION
from ml.privacy.person_key import ids_of_key
from serving.errors import ApiError
from serving.privacy.person_description import request_of
from serving.privacy.person_ids import gone, is_erased
from serving.privacy.personalization import find_consent
from serving.recommend.answers import preview_items
from serving.recommend.interests import check_interests
from serving.requests import Preferences
from serving.tessera import Tessera


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
    if is_erased(tessera, key):
        raise gone()
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
        request = request_of(key)
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


def list_consent_events(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the consent event that a change of `opt_out` implies, so that training and audiences follow it."""
    if bool(before.get("opt_out")) == bool(after.get("opt_out")):
        return []
    if after.get("opt_out"):
        return [{"event_type": "consent_withdrawn", "properties": {"purposes": ["personalization"]}}]
    return [{"event_type": "consent_granted", "consent": ["analytics", "personalization"]}]
