"""Who may ask what: keys sent as `Authorization: Bearer`, or loopback alone where no keys are set."""

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
    """Keys of browsers (public by nature) and secret keys of servers.

    Each as it is, or as `sha256:` and the 64 hex digits of its SHA-256, so that no configuration has to hold it.
    """

    browser: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.browser or self.secret)


@dataclass(frozen=True)
class Caller:
    """What a request may do: `open` on a service without keys, else the kind of its key."""

    kind: Kind

    @property
    def is_trusted(self) -> bool:
        """Whether everything is allowed."""
        return self.kind != "browser"


class KeyDigests:
    """The keys as digests; the keys themselves are forgotten."""

    def __init__(self, keys: Keys) -> None:
        self._browser = _digests(keys.browser)
        self._secret = _digests(keys.secret)

    def __bool__(self) -> bool:
        return bool(self._browser or self._secret)

    def kind(self, key: str) -> Literal["browser", "secret"] | None:
        """What a key is; None if it is not known. Each digest is compared, so that time tells nothing."""
        digest = digest_of(key)
        is_secret, is_browser = _is_among(digest, self._secret), _is_among(digest, self._browser)
        return "secret" if is_secret else "browser" if is_browser else None


class Access:
    """Decides for each request who calls."""

    def __init__(self, keys: Keys) -> None:
        self.keys = KeyDigests(keys)

    def caller(self, request: HTTPConnection) -> Caller:
        """Who calls.

        Raises:
            ApiError: 401 without a valid key; 403 from another machine where no keys are set.
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

    def trusted(self, request: HTTPConnection) -> Caller:
        """Who calls, where a browser's key is not enough.

        Raises:
            ApiError: as `caller`, and 403 for a browser key.
        """
        caller = self.caller(request)
        if not caller.is_trusted:
            raise ApiError(403, "this needs a secret key", "authorization")
        return caller


def digest_of(key: str) -> str:
    """SHA-256 of a key, in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _digests(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        key.removeprefix(DIGEST_PREFIX).lower() if key.startswith(DIGEST_PREFIX) else digest_of(key)
        for key in sorted(keys)
    )


def _is_among(digest: str, known: tuple[str, ...]) -> bool:
    matches = [hmac.compare_digest(digest, one) for one in known]
    return any(matches)


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "testclient":
        return True  # a Unix socket, or a client in this process
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
