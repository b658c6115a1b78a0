"""The id and the key under which the service keeps a person: those that the intake gives the person's events."""

from __future__ import annotations

from ml.privacy.person_key import ids_of_key, person_key, possible_person_keys
from serving.collector.privacy.personal_data import RefusedPersonalDataError
from serving.errors import ApiError
from serving.routes.bodies import check_person
from serving.tessera import Tessera


def clean_person(tessera: Tessera, person: str, field: str = "user_id") -> str:
    """Return the pseudonym of an e-mail address, or another id as it is.

    Raises:
        ApiError: 422, the site refuses such an id.
    """
    try:
        cleaned = tessera.collector.clean_id(person, field)
    except RefusedPersonalDataError as error:
        raise ApiError(422, error.reason, field) from None
    if not cleaned:
        raise ApiError(422, "holds an e-mail address, which this site drops", field)
    return cleaned


def clean_key(tessera: Tessera, key: str) -> str:
    """Return the key of a person whose id reads as events keep it.

    Raises:
        ApiError: 422, it names nobody, or the site refuses such an id.
    """
    user_id, anonymous_id = ids_of_key(key)
    field = "anonymous_id" if user_id is None else "user_id"
    cleaned = clean_person(tessera, check_person(user_id or anonymous_id or ""), field)
    return str(person_key(cleaned, None) if user_id is not None else person_key(None, cleaned))


def find_person_key(tessera: Tessera, person_id: str) -> str:
    """Return the key of an id of which the caller does not say whether it names a user or a device.

    It is a user, unless the service holds something about a device of this id and nothing about such a user.
    Anybody can name a device, so this is for reading alone: what is set for a user must not go to a device.
    """
    state, bundle = tessera.state, tessera.champion
    keys = possible_person_keys(person_id)
    for key in keys:
        if bundle.user_facts(key) or state.activity.find_visitor(key) is not None or state.profile(key):
            return key
    return keys[0]


def is_erased(tessera: Tessera, key: str) -> bool:
    """Return whether the person with a key was erased."""
    user_id, anonymous_id = ids_of_key(key)
    return user_id in tessera.erased or tessera.erased.has_device(anonymous_id)


def gone() -> ApiError:
    """Return what is answered about an erased id."""
    return ApiError(404, "this id was erased; nothing about it is kept any more", "user_id")
