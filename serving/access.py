"""Access control: keys sent as `Authorization: Bearer`, or loopback alone if no keys are set."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection

from ml.home import FileVersion, file_version
from ml.keys.access_key import AccessKey, KeyKind, digest_of, key_id_of
from ml.keys.key_file import KeyFile, KeyFileError
from ml.keys.origins import origin_of
from serving.admission.client_address import client_address, is_loopback
from serving.admission.header_values import header_values
from serving.errors import ApiError

logger = logging.getLogger("tessera.serving")
Kind = Literal["open", "browser", "secret"]
"""Kinds of callers of the API; a console key is none."""
DIGEST_PREFIX = "sha256:"
BEGINNING = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True)
class Keys:
    """The keys of the environment: of browsers, which are public by nature, and the secret keys of servers.

    A key is given as it is, or as `sha256:` and the 64 hex digits of its SHA-256, so that no configuration has to
    hold it.
    """

    browser: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.browser or self.secret)


@dataclass(frozen=True)
class Caller:
    """Who sends a request: `open` on a service without keys, otherwise the kind and the id of the caller's key."""

    kind: Kind
    key_id: str = "open"

    @property
    def is_trusted(self) -> bool:
        """Whether everything is allowed."""
        return self.kind != "browser"


class KeyRegistry:
    """The keys that work: those of the environment, and those of the home's file, which is read when it changes.

    Whoever takes requests calls `refresh` for each of them, once: looking at the file costs a call of the system.
    Keys are looked up by their digest. The time of a look-up says nothing about a key, because nobody can choose
    the digest that a guess has.

    Args:
        keys: Keys of the environment.
        file: The file with the keys that `tessera keys` creates.
        clock: The time by which keys expire.

    Raises:
        KeyFileError: The file cannot be read.
    """

    def __init__(self, keys: Keys, file: KeyFile, clock: Callable[[], dt.datetime] | None = None) -> None:
        self._file = file
        self._clock = clock or _now
        self._of_environment = {
            **_digest_keys("browser", keys.browser),
            **_digest_keys("secret", keys.secret),
        }
        self._version: FileVersion | None = file_version(file.path)
        self._by_digest: Mapping[str, AccessKey] = self._with_file(file.read())
        # A service that had keys is never open again, even if its file is lost.
        self._is_closed = bool(self._by_digest)

    def __bool__(self) -> bool:
        return self._is_closed

    def find(self, key: str) -> AccessKey | None:
        """Return the description of a key that works now; None if there is no such key."""
        access_key = self._by_digest.get(digest_of(key))
        return access_key if access_key is not None and access_key.is_active(self._clock()) else None

    def find_id(self, key_id: str) -> AccessKey | None:
        """Return the description of the key with an id that works now; None if there is no such key."""
        now = self._clock()
        return next((key for key in self._by_digest.values() if key.key_id == key_id and key.is_active(now)), None)

    def page_origins(self) -> frozenset[str]:
        """Return the origins of the pages that browser keys which work now are meant for."""
        now = self._clock()
        return frozenset(
            origin
            for key in self._by_digest.values()
            if key.origins and key.is_active(now)
            for origin in key.origins
        )

    def refresh(self) -> None:
        """Read the file again if it has changed; a damaged one leaves the former keys in force."""
        version = file_version(self._file.path)
        if version == self._version:
            return
        self._version = version
        try:
            self._by_digest = self._with_file(self._file.read())
        except (KeyFileError, OSError) as error:  # nobody is locked out by a file that is being repaired
            logger.error("the former keys stay in force: %s", error)
            return
        self._is_closed = self._is_closed or bool(self._by_digest)
        logger.info("%d keys are in force", sum(key.is_active(self._clock()) for key in self._by_digest.values()))

    def _with_file(self, entries: Iterable[AccessKey]) -> dict[str, AccessKey]:
        return {**self._of_environment, **{entry.digest: entry for entry in entries}}


class Access:
    """Identifies the caller of each request.

    Args:
        registry: The keys that work.
        trusted_proxies: Proxies of the site in front of the service.
    """

    def __init__(self, registry: KeyRegistry, trusted_proxies: int = 0) -> None:
        self.keys = registry
        self._trusted_proxies = trusted_proxies
        self._warned: set[str] = set()

    def caller(self, request: HTTPConnection) -> Caller:
        """Return the caller of a request by the bearer token.

        Raises:
            ApiError: 401 without a valid key, 403 from another machine if no keys are set or from a page that a
                browser key is not meant for.
        """
        if not self.keys:
            return self.open_caller(request)
        scheme, _, key = header_values(request).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise missing_key()
        return self.key_caller(request, [key.strip()])

    def open_caller(self, request: HTTPConnection) -> Caller:
        """Return the caller of a service without keys.

        Raises:
            ApiError: 403 from another machine.
        """
        if not is_loopback(client_address(request, self._trusted_proxies)):
            raise ApiError(
                403,
                "this service has no keys and answers on loopback only; create one with "
                "`tessera keys create --kind secret`, or set TESSERA_SECRET_KEYS",
            )
        return Caller("open")

    def key_caller(self, request: HTTPConnection, keys: Iterable[str], public_keys: Iterable[str] = ()) -> Caller:
        """Return the caller that one of these keys identifies.

        Args:
            request: The request that carries the keys.
            keys: Keys from headers and bodies.
            public_keys: Keys from the query, which logs and histories keep: no place for a secret key.

        Raises:
            ApiError: 401 if none of them works or a secret key stands in the query, 403 from a page for which the
                browser key is not meant for.
        """
        for key in keys:
            access_key = self.keys.find(key)
            if access_key is not None:
                return self._identify(access_key, request)
        for key in public_keys:
            access_key = self.keys.find(key)
            if access_key is not None and access_key.kind != "browser":
                self._warn_once(access_key, "was sent in the query of an address, which logs keep: replace it")
                raise ApiError(
                    401,
                    f"a {access_key.kind} key is not accepted in the query; send it as"
                    " `Authorization: Bearer KEY`",
                    "key",
                )
            if access_key is not None:
                return self._identify(access_key, request)
        raise ApiError(
            401,
            "the key is not known, or it expired or was revoked; `tessera keys list` shows it",
            "authorization",
        )

    def require_trusted(self, request: HTTPConnection) -> Caller:
        """Return the caller of a request for which a browser's key is not enough.

        Raises:
            ApiError: As `caller`, and 403 for a browser key.
        """
        caller = self.caller(request)
        if not caller.is_trusted:
            raise ApiError(403, "this needs a secret key", "authorization")
        return caller

    def _identify(self, key: AccessKey, request: HTTPConnection) -> Caller:
        """Return the caller of a key that works.

        Raises:
            ApiError: 403, the key is for people who sign in to the console, or not for this page.
        """
        if key.kind == "console":
            raise ApiError(403, "a console key signs in to the console and calls nothing", "authorization")
        self._check_page(key, request)
        return Caller(key.kind, key.key_id)

    def _check_page(self, key: AccessKey, request: HTTPConnection) -> None:
        """Refuse a browser key on a page that it is not meant for, and warn of a secret key in a page.

        A request without `Origin` and `Referer` comes from no page, or from one that hides where it is; no browser
        sends one across origins.
        """
        headers = header_values(request)
        origin, referrer = headers.get("origin"), headers.get("referer")
        if key.kind == "secret":
            if origin is not None:
                self._warn_once(key, "was sent by a page, where everybody can read it: replace it")
            return
        if not key.origins:
            return
        page = origin if origin is not None else origin_of(referrer) or "null" if referrer else None
        if page is not None and page not in key.origins:
            raise ApiError(
                403,
                f"this browser key is for pages of {', '.join(key.origins)}",
                "origin" if origin is not None else "referer",
            )

    def _warn_once(self, key: AccessKey, what: str) -> None:
        if key.key_id not in self._warned:
            self._warned.add(key.key_id)
            logger.warning("the %s key %s %s with `tessera keys rotate`", key.kind, key.key_id, what)


def read_header_key(request: HTTPConnection, *, is_strict: bool = True) -> str | None:
    """Return a bearer token, or the user of basic authentication; None if the header holds neither.

    Args:
        request: The request.
        is_strict: Whether basic credentials that cannot be read are an error.

    Raises:
        ApiError: 401, the basic credentials cannot be read.
    """
    scheme, _, credentials = header_values(request).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        user = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        if not is_strict:
            return None
        raise ApiError(401, "the basic credentials are no base64", "authorization") from None
    return user or None


def missing_key() -> ApiError:
    """Return the error of a request that carries no key."""
    return ApiError(401, "send a key as `Authorization: Bearer KEY`", "authorization")


def _digest_keys(kind: KeyKind, keys: Iterable[str]) -> dict[str, AccessKey]:
    digests = [
        key.removeprefix(DIGEST_PREFIX).lower() if key.startswith(DIGEST_PREFIX) else digest_of(key)
        for key in keys
    ]
    return {digest: AccessKey(key_id_of(digest), kind, digest, "", (), created_at=BEGINNING) for digest in digests}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
