"""Keyed hashes: of personal data with a key of the site, of visitors without cookies with a key of the day."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from ml.errors import DamagedFileError, TesseraError
from ml.home import make_folder, open_private, replace_file, sync_path

KEY_BYTES = 32
PREFIX = "h:"
PSEUDONYM = re.compile(r"^h:[0-9a-f]{32}$")


class MissingKeyError(TesseraError, FileNotFoundError):
    """The key of the site is missing although it was used."""


class Pseudonyms:
    """Pseudonyms of this site.

    The key of the site is in `folder/site.key`, which only its owner can read. Beside it, `site.key.check` holds a
    digest of the key, so that a missing or damaged key is recognized: with another key, every erased person would
    be welcome again. The key of the day is never written, and a restart begins a new one. Nobody can get from a
    visitor's id to an address once the day is over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "site.key"
        self._check_path = folder / "site.key.check"
        self._erased_ids = folder / "erasures" / "erased_ids"
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

    def fingerprint(self) -> str:
        """Return a digest of the site's key, which tells whether two homes have the same one."""
        return _fingerprint(self._site_key())

    def seal(self, text: str) -> str:
        """Encrypt a text so that only this site's key opens it."""
        return self._cipher().encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Return a text that `seal` encrypted.

        Raises:
            DamagedFileError: The site's key is another one than that which sealed it.
        """
        try:
            return self._cipher().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise DamagedFileError(
                self._path, "the key does not open what was sealed", "put site.key back from the keys of a backup"
            ) from None

    def _cipher(self) -> Fernet:
        key = hmac.new(self._site_key(), b"sealed texts", hashlib.sha256).digest()
        return Fernet(base64.urlsafe_b64encode(key))

    def visitor_id(self, day: dt.date, *traits: str | None) -> str:
        """Return an id for a visitor that is valid for one day.

        Args:
            day: The day.
            traits: What the request shows anyway, such as the truncated address and the user agent.
        """
        if day != self._day:
            self._day, self._day_key = day, secrets.token_bytes(KEY_BYTES)
        return _hash(self._day_key, "\x1f".join(trait or "" for trait in traits))

    def require_key(self) -> None:
        """Check the key of a site that has one. A home without pseudonyms and erasures needs none yet.

        Raises:
            MissingKeyError: The key is missing although it was used.
            DamagedFileError: The key differs from the one that was made.
        """
        if self._path.exists() or self._was_used():
            self._site_key()

    def _site_key(self) -> bytes:
        if self._key is None:
            if not self._path.exists():
                self._make()
            self._key = self._read()
        return self._key

    def _was_used(self) -> bool:
        return self._check_path.exists() or (self._erased_ids.exists() and self._erased_ids.stat().st_size > 0)

    def _make(self) -> None:
        if self._was_used():
            raise MissingKeyError(
                f"{self._path} is missing although this home holds pseudonyms or erased ids that it made; "
                "a new key would let every erased person in again. Remedy: put site.key back from the keys of a "
                "backup (`tessera backup` keeps them apart)."
            )
        make_folder(self._path.parent)
        draft = self._path.with_name(f".site.key.{os.getpid()}.{secrets.token_hex(4)}")
        _write(draft, secrets.token_bytes(KEY_BYTES))
        try:
            os.link(draft, self._path)  # fails if another process was first, whose key is then used
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    def _read(self) -> bytes:
        """Return the key, and write its digest where there is none, as in homes of an earlier version."""
        key = self._path.read_bytes()
        digest = _fingerprint(key).encode()
        if self._check_path.exists():
            if self._check_path.read_bytes() != digest:
                raise DamagedFileError(
                    self._path,
                    f"the key differs from its digest in {self._check_path}",
                    "put site.key and site.key.check back from the keys of a backup",
                )
        else:
            replace_file(self._check_path, digest)
        sync_path(self._path.parent)
        return key


def _write(file: Path, content: bytes) -> None:
    with open(file, "xb", opener=open_private) as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"tessera site key:" + key).hexdigest()


def _hash(key: bytes, value: str) -> str:
    return PREFIX + hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
