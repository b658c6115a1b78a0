"""Keys of people: a user and a device with the same id are two people.

A site names its users, but everybody can name a device. A key therefore carries the namespace of its id wherever
the service or a bundle looks a person up. Users keep their id as it is, unless it reads like a key itself.
"""

from __future__ import annotations

ANONYMOUS = "anonymous:"
USER = "user:"
CALLER = "caller:"
"""Begins a key under which the requests of one browser for one person are counted."""


def person_key(user_id: str | None, anonymous_id: str | None) -> str | None:
    """Return the key of a person: of the user if there is one, or else of the device; None without any id."""
    if user_id:
        return USER + user_id if user_id.startswith((ANONYMOUS, USER, CALLER)) else user_id
    return ANONYMOUS + anonymous_id if anonymous_id else None


def mart_person_key(user_id: str, is_known: bool) -> str:
    """Return the key of a row of the mart `users`.

    The mart writes the id of a device as it is, or as `anonymous:<id>` if a user has the same id.
    """
    if is_known:
        return str(person_key(user_id, None))
    return user_id if user_id.startswith(ANONYMOUS) else ANONYMOUS + user_id


def possible_person_keys(person_id: str) -> tuple[str, str]:
    """Return the keys that an id may have: as a user, and as a device."""
    return str(person_key(person_id, None)), ANONYMOUS + person_id


def ids_of_key(key: str) -> tuple[str | None, str | None]:
    """Return the user id and the anonymous id behind a key, one of which is None."""
    if key.startswith(ANONYMOUS):
        return None, key.removeprefix(ANONYMOUS)
    return key.removeprefix(USER), None
