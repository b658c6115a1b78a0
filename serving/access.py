"""Who may ask what: keys sent as `Authorization: Bearer`, or loopback alone where no keys are set."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection

from serving.errors import ApiError

Kind = Literal["open", "browser", "secret"]


@dataclass(frozen=True)
class Keys:
    """Keys of browsers (public by nature) and secret keys of servers."""

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


class Access:
    """Decides for each request who calls."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

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
        if _is_among(key, self.keys.secret):
            return Caller("secret")
        if _is_among(key, self.keys.browser):
            return Caller("browser")
        raise ApiError(401, "the key is not known", "authorization")

    def trusted(self, request: HTTPConnection) -> Caller:
        """Who calls, where a browser's key is not enough.

        Raises:
            ApiError: as `caller`, and 403 for a browser key.
        """
        caller = self.caller(request)
        if not caller.is_trusted:
            raise ApiError(403, "this needs a secret key", "authorization")
        return caller


def _is_among(key: str, keys: frozenset[str]) -> bool:
    return any(hmac.compare_digest(key.encode(), known.encode()) for known in keys)


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "testclient":
        return True  # a Unix socket, or a client in this process
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
