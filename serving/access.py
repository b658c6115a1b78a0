"""Access control: keys sent as `Authorization: Bearer`, or loopback alone if no keys are set."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection

from serving.errors import ApiError

Kind = Literal["open", "browser", "secret"]
DIGEST_PREFIX = "sha256:"


@dataclass(frozen=True)
class Keys:
    """The keys of browsers, which are public by nature, and the secret keys of servers.

    A key is given as it is, or as `sha256:` and the 64 hex digits of its SHA-256, so that no configuration has to
    hold it.
    """

    browser: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.browser or self.secret)


@dataclass(frozen=True)
class Caller:
    """Who sends a request: `open` on a service without keys, otherwise the kind of the caller's key."""

    kind: Kind

    @property
    def is_trusted(self) -> bool:
        """Whether everything is allowed."""
        return self.kind != "browser"


class KeyDigests:
    """The digests of the keys; the keys themselves are not kept."""

    def __init__(self, keys: Keys) -> None:
        self._browser = _digest_keys(keys.browser)
        self._secret = _digest_keys(keys.secret)

    def __bool__(self) -> bool:
        return bool(self._browser or self._secret)

    def kind(self, key: str) -> Literal["browser", "secret"] | None:
        """Return the kind of a key, None if it is unknown.

        Every digest is compared, so that timing reveals nothing.
        """
        digest = digest_of(key)
        is_secret, is_browser = _is_among(digest, self._secret), _is_among(digest, self._browser)
        return "secret" if is_secret else "browser" if is_browser else None


class Access:
    """Identifies the caller of each request."""

    def __init__(self, keys: Keys) -> None:
        self.keys = KeyDigests(keys)

    def caller(self, request: HTTPConnection) -> Caller:
        """Return the caller of a request.

        Raises:
            ApiError: 401 without a valid key, 403 from another machine if no keys are set.
        """
        if not self.keys:
            if not _is_loopback(request.client.host if request.client else None):
                raise ApiError(
                    403, "this service has no keys and answers on loopback only; set TESSERA_SECRET_KEYS"
                )
            return Caller("open")
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise ApiError(401, "send a key as `Authorization: Bearer KEY`", "authorization")
        kind = self.keys.kind(key)
        if kind is None:
            raise ApiError(401, "the key is not known", "authorization")
        return Caller(kind)

    def require_trusted(self, request: HTTPConnection) -> Caller:
        """Return the caller of a request for which a browser's key is not enough.

        Raises:
            ApiError: As `caller`, and 403 for a browser key.
        """
        caller = self.caller(request)
        if not caller.is_trusted:
            raise ApiError(403, "this needs a secret key", "authorization")
        return caller


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _digest_keys(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        key.removeprefix(DIGEST_PREFIX).lower() if key.startswith(DIGEST_PREFIX) else digest_of(key)
        for key in sorted(keys)
    )


def _is_among(digest: str, digests: tuple[str, ...]) -> bool:
    matches = [hmac.compare_digest(digest, other) for other in digests]
    return any(matches)


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "testclient":
        return True  # a Unix socket, or a client in this process
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
