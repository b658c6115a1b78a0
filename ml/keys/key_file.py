"""The file `keys.json` of the home, which holds the digests of the access keys."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any

from ml.errors import InvalidInputError, TesseraError
from ml.home import Home, locked, replace_file
from ml.keys.access_key import AccessKey, ConsoleRole, KeyKind, digest_of, generate_key

LAYOUT_VERSION = 1
TIMES = ("created_at", "expires_at", "revoked_at")


class KeyFileError(TesseraError):
    """The file of the keys cannot be read; the message names it and the remedy."""


class UnknownKeyError(TesseraError, LookupError):
    """No key, or more than one, has the given id or name."""


class KeyFile:
    """The keys of a home.

    Only the owner of the file can read it. Each change replaces the file as a whole, and commands that run at once
    change it one after the other.
    """

    def __init__(self, home: Home) -> None:
        self.path = home.keys_file

    def read(self) -> list[AccessKey]:
        """Return all keys, the expired and revoked ones included, in the order of their creation.

        Raises:
            KeyFileError: The file is damaged, or a newer version of Tessera wrote it.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise self._damaged("it is not text") from None
        try:
            content = json.loads(text)
            version = content["version"]
            if version != LAYOUT_VERSION:
                raise self._damaged(f"its layout has version {version!r}, and this Tessera reads {LAYOUT_VERSION}")
            return [_from_json(entry) for entry in content["keys"]]
        except (ValueError, KeyError, TypeError, AttributeError, TesseraError) as error:
            if isinstance(error, KeyFileError):
                raise
            raise self._damaged(f"{type(error).__name__}: {error}") from None

    def create(
        self,
        kind: KeyKind,
        *,
        name: str = "",
        origins: tuple[str, ...] = (),
        lifetime: dt.timedelta | None = None,
        role: ConsoleRole | None = None,
    ) -> tuple[AccessKey, str]:
        """Create a key.

        Returns:
            The stored description, and the key itself, which cannot be read again.

        Raises:
            InvalidInputError: The kind, the role or an origin is not legal, or does not go with the kind, or an
                active key has this name.
        """
        now = _now()
        created, key = generate_key(kind, now, name=name, origins=origins, lifetime=lifetime, role=role)

        def change(keys: list[AccessKey]) -> list[AccessKey]:
            if name and any(entry.name == name and entry.is_active(now) for entry in keys):
                raise InvalidInputError(
                    f"an active key is called {name!r}: choose another name, or replace the key with "
                    f"`tessera keys rotate {name}`"
                )
            return [*keys, created]

        self._change(change)
        return created, key

    def rotate(self, key: str, overlap: dt.timedelta) -> tuple[AccessKey, AccessKey, str]:
        """Create a key in the place of another, which goes on working for a while.

        The new key has the kind, the name, the origins, the role and the lifetime of the old one.

        Args:
            key: Id or name of an active key.
            overlap: How long the old key goes on working. It never works longer than it would have.

        Returns:
            The old key as it is stored now, the new one, and the new key itself.

        Raises:
            UnknownKeyError: No active key, or more than one, has this id or name.
        """
        now = _now()
        made: list[tuple[AccessKey, AccessKey, str]] = []

        def change(keys: list[AccessKey]) -> list[AccessKey]:
            # A key that was rotated before still works during its overlap; its successor has its name.
            replaced = _select(keys, key, lambda entry: entry.is_active(now))[-1]
            end = now + overlap if replaced.expires_at is None else min(now + overlap, replaced.expires_at)
            lifetime = None if replaced.expires_at is None else replaced.expires_at - replaced.created_at
            created, text = generate_key(
                replaced.kind,
                now,
                name=replaced.name,
                origins=replaced.origins,
                lifetime=lifetime,
                role=replaced.role,
            )
            ending = replace(replaced, expires_at=end)
            made.append((ending, created, text))
            return [ending if entry is replaced else entry for entry in keys] + [created]

        self._change(change)
        return made[0]

    def revoke(self, key: str) -> list[AccessKey]:
        """Revoke the key with this id, or all keys with this name.

        Returns:
            The keys that are revoked now.

        Raises:
            UnknownKeyError: No key has this id or name, or each of them is revoked already.
        """
        now = _now()
        revoked: list[AccessKey] = []

        def change(keys: list[AccessKey]) -> list[AccessKey]:
            selected = _select(keys, key, lambda entry: entry.revoked_at is None)
            revoked.extend(replace(entry, revoked_at=now) for entry in selected)
            return [replace(entry, revoked_at=now) if entry in selected else entry for entry in keys]

        self._change(change)
        return revoked

    def _change(self, change: Callable[[list[AccessKey]], list[AccessKey]]) -> None:
        with locked(self.path.with_name(".keys.lock")):
            content = {"version": LAYOUT_VERSION, "keys": [_to_json(entry) for entry in change(self.read())]}
            replace_file(self.path, f"{json.dumps(content, indent=1)}\n".encode())

    def _damaged(self, reason: str) -> KeyFileError:
        return KeyFileError(
            f"{self.path} cannot be read: {reason}. Restore it from a backup, or move it away and create new keys "
            "with `tessera keys create`"
        )


def _select(keys: list[AccessKey], key: str, is_eligible: Callable[[AccessKey], bool]) -> list[AccessKey]:
    """Return the eligible keys with this id or name, in the order of their creation.

    Raises:
        UnknownKeyError: There are none.
    """
    named = [entry for entry in keys if key in (entry.key_id, entry.name) or digest_of(key) == entry.digest]
    eligible = [entry for entry in named if is_eligible(entry)]
    if eligible:
        return eligible
    if named:
        raise UnknownKeyError(f"the key {named[-1].key_id} does not work any more; `tessera keys list` shows why")
    legal = ", ".join(entry.key_id for entry in keys if is_eligible(entry)) or "there are no active keys"
    # What was given may be a key itself, which must not be shown.
    raise UnknownKeyError(f"no key has this id or name; legal: {legal}")


def _to_json(key: AccessKey) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in asdict(key).items()
    }


def _from_json(entry: dict[str, Any]) -> AccessKey:
    times = {name: dt.datetime.fromisoformat(entry[name]) if entry.get(name) else None for name in TIMES}
    values = {field.name: entry[field.name] for field in fields(AccessKey) if field.name not in (*TIMES, "role")}
    # Files of earlier versions know no roles.
    return AccessKey(**{**values, **times, "origins": tuple(entry["origins"]), "role": entry.get("role")})


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
