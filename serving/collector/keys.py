"""Authentication of senders by key, wherever a tracker can put one; the service stores digests only."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import HTTPConnection

from serving.access import Access, KeyDigests, Keys, digest_of
from serving.errors import ApiError

KEY_ID_CHARS = 12


@dataclass(frozen=True)
class Sender:
    """Sender of a request. `key_id` is the beginning of the key's digest, or `open` if the service has no keys."""

    kind: Literal["open", "browser", "secret"]
    key_id: str

    @property
    def is_browser(self) -> bool:
        """Whether the key is a browser key, which anybody can read in the page."""
        return self.kind == "browser"


class KeyRing:
    """The keys that may send events."""

    def __init__(self, keys: Keys) -> None:
        self._keys = KeyDigests(keys)
        self._without_keys = Access(Keys())

    def sender(self, request: HTTPConnection, fallbacks: Iterable[Any] = ()) -> Sender:
        """Authenticate the sender of a request.

        Args:
            request: its headers and query are searched for a key.
            fallbacks: other places where this protocol carries a key, such as Segment's `writeKey`.

        Raises:
            ApiError: 401 without a known key; 403 from another machine where there are no keys.
        """
        if not self._keys:
            self._without_keys.caller(request)
            return Sender("open", "open")
        given = [key for key in (read_key(request), *fallbacks) if isinstance(key, str) and key]
        if not given:
            raise ApiError(401, "send a key as `Authorization: Bearer KEY`", "authorization")
        for key in given:
            kind = self._keys.kind(key)
            if kind is not None:
                return Sender(kind, digest_of(key)[:KEY_ID_CHARS])
        raise ApiError(401, "the key is not known", "authorization")


def read_key(request: HTTPConnection) -> str | None:
    """The key of a request: a bearer token, the user of basic authentication, or `key` in the query."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() == "basic":
        try:
            user = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise ApiError(401, "the basic credentials are no base64", "authorization") from None
        return user or None
    return request.query_params.get("key")
