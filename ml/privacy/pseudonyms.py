"""Keyed hashes: of personal data, with a key of the site; of visitors without cookies, with a key of the day."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

KEY_BYTES = 32
PREFIX = "h:"
PSEUDONYM = re.compile(r"^h:[0-9a-f]{32}$")


class Pseudonyms:
    """Pseudonyms of this site. The key lies in `folder/site.key`, readable by its owner alone.

    The key of the day is never written: a restart begins a new one, and nobody can go back from a visitor's id to
    an address once the day is over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "site.key"
        self._key: bytes | None = None
        self._day: dt.date | None = None
        self._day_key = b""

    def of(self, value: str) -> str:
        """The pseudonym of a personal datum; a pseudonym stays as it is."""
        if PSEUDONYM.match(value):
            return value
        return _hash(self._site_key(), value.strip().lower())

    def digest(self, person: str) -> str:
        """Digest of a person's id as it stands, letter for letter: tells whether an id is one that was erased."""
        return hmac.new(
            self._site_key(), b"erased:" + person.encode("utf-8", "replace"), hashlib.sha256
        ).hexdigest()

    def visitor(self, day: dt.date, *traits: str | None) -> str:
        """An id for a visitor that holds for one day: a hash of what the request tells anyway."""
        if day != self._day:
            self._day, self._day_key = day, secrets.token_bytes(KEY_BYTES)
        return _hash(self._day_key, "\x1f".join(trait or "" for trait in traits))

    def _site_key(self) -> bytes:
        if self._key is None:
            self._key = self._read_or_make()
        return self._key

    def _read_or_make(self) -> bytes:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".site.key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(draft, self._path)  # fails if another process was first: then its key counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self._path.read_bytes()


def _hash(key: bytes, value: str) -> str:
    return PREFIX + hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
