"""The id under which the service keeps a person: the same that the intake gives the person's events."""

from __future__ import annotations

from serving.collector.privacy.personal_data import RefusedPersonalDataError
from serving.errors import ApiError
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
