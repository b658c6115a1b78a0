"""One access key, of which only the digest is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal, get_args

from ml.errors import InvalidInputError
from ml.keys.origins import parse_origin

KeyKind = Literal["browser", "secret", "console"]
ConsoleRole = Literal["viewer", "editor", "privacy-officer"]
KIND_PREFIXES: dict[KeyKind, str] = {"browser": "tbk_", "secret": "tsk_", "console": "tck_"}
ROLES: tuple[ConsoleRole, ...] = get_args(ConsoleRole)
RANDOM_BYTES = 32
KEY_ID_CHARS = 12


@dataclass(frozen=True)
class AccessKey:
    """An access key without the key itself.

    Attributes:
        key_id: The first characters of the digest, by which commands and logs name the key.
        kind: `browser` for keys that stand in pages, `secret` for keys of servers, `console` for keys of people
            who sign in to the console and call nothing else.
        digest: The SHA-256 of the key, in hex.
        name: What the owner calls the key; empty without a name.
        origins: Origins of the pages that may use a browser key; empty for every page.
        created_at: When the key was made.
        expires_at: When the key stops working; None for a key that does not expire.
        revoked_at: When the key was revoked; None for a key that was not.
        role: What a console key lets its owner do; None for the other kinds.
    """

    key_id: str
    kind: KeyKind
    digest: str
    name: str
    origins: tuple[str, ...]
    created_at: dt.datetime
    expires_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    role: ConsoleRole | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(KeyKind):
            raise InvalidInputError(f"the kind of a key is {self.kind!r}; legal: {', '.join(KIND_PREFIXES)}")
        if self.kind != "browser" and self.origins:
            raise InvalidInputError(f"a {self.kind} key never stands in a page, so it has no origins")
        if self.kind == "console" and self.role not in ROLES:
            raise InvalidInputError(f"the role of a console key is {self.role!r}; legal: {', '.join(ROLES)}")
        if self.kind != "console" and self.role is not None:
            raise InvalidInputError(f"a {self.kind} key has no role; roles are for console keys")

    def is_active(self, now: dt.datetime) -> bool:
        """Return whether the key works at this time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def describe_status(self, now: dt.datetime) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.is_active(now) else "expired"


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key in hex.

    The keys are random and long, so a slow hash with a salt would protect nothing more.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def key_id_of(digest: str) -> str:
    """Return the id of the key with this digest."""
    return digest[:KEY_ID_CHARS]


def generate_key(
    kind: KeyKind,
    now: dt.datetime,
    *,
    name: str = "",
    origins: tuple[str, ...] = (),
    lifetime: dt.timedelta | None = None,
    role: ConsoleRole | None = None,
) -> tuple[AccessKey, str]:
    """Generate a random key.

    Args:
        kind: The kind of the key.
        now: The current time.
        name: What the owner calls the key.
        origins: Origins of the pages that may use a browser key.
        lifetime: How long the key works; None for a key that does not expire.
        role: The role of a console key.

    Returns:
        The description to store, and the key itself, which is stored nowhere.

    Raises:
        InvalidInputError: The kind, the role or an origin is not legal, or does not go with the kind.
    """
    key = KIND_PREFIXES.get(kind, "") + secrets.token_urlsafe(RANDOM_BYTES)
    digest = digest_of(key)
    access_key = AccessKey(
        key_id=key_id_of(digest),
        kind=kind,
        digest=digest,
        name=name,
        origins=tuple(parse_origin(origin) for origin in origins),
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
        role=role,
    )
    return access_key, key
