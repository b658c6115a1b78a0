"""Keyed hashes: of personal data with a key of the site, of visitors without cookies with a key of the day."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from ml.home import make_folder

KEY_BYTES = 32
PREFIX = "h:"
PSEUDONYM = re.compile(r"^h:[0-9a-f]{32}$")


class Pseudonyms:
    """Pseudonyms of this site.

    The key of the site is in `folder/site.key`, which only its owner can read. The key of the day is never
    written, and a restart begins a new one. Nobody can get from a visitor's id to an address once the day is over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "site.key"
        self._key: bytes | None = None
        self._day: dt.date | None = None
        self._day_key = b""

    def pseudonymize(self, value: str) -> str:
        """Return the pseudonym of a personal datum. A pseudonym stays as it is."""
        if PSEUDONYM.match(value):
            return value
        return _hash(self._site_key(), value.strip().lower())

    def digest(self, person: str) -> str:
        """Return the digest of an id, letter for letter, by which an erased id is recognized."""
        return hmac.new(
            self._site_key(), b"erased:" + person.encode("utf-8", "replace"), hashlib.sha256
        ).hexdigest()

    def visitor_id(self, day: dt.date, *traits: str | None) -> str:
        """Return an id for a visitor that is valid for one day.

        Args:
            day: The day.
            traits: What the request shows anyway, such as the truncated address and the user agent.
        """
        if day != self._day:
            self._day, self._day_key = day, secrets.token_bytes(KEY_BYTES)
        return _hash(self._day_key, "\x1f".join(trait or "" for trait in traits))

    def _site_key(self) -> bytes:
        if self._key is None:
            self._key = self._read_or_make()
        return self._key

    def _read_or_make(self) -> bytes:
        make_folder(self._path.parent)
        draft = self._path.with_name(f".site.key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(draft, self._path)  # fails if another process was first, whose key is then used
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self._path.read_bytes()


def _hash(key: bytes, value: str) -> str:
    return PREFIX + hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
