"""Cookies that the service signs, so that a page knows its reader again without keeping anything of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Callable

import jwt
from starlette.requests import Request
from starlette.responses import Response

from ml.home import Home, locked, replace_file

ALGORITHM = "HS256"


class SignedCookies:
    """Signs what cookies say, and reads it again.

    Args:
        home: The home, whose file `console.secret` signs the cookies of all workers.
        is_behind_proxy: Whether proxies of the site stand in front, whose `X-Forwarded-Proto` is believed.
        clock: The present time.
    """

    def __init__(
        self, home: Home, is_behind_proxy: bool = False, clock: Callable[[], dt.datetime] | None = None
    ) -> None:
        self._file = home.path / "console.secret"
        self._is_behind_proxy = is_behind_proxy
        self._clock = clock or (lambda: dt.datetime.now(dt.UTC))
        self._secret: bytes | None = None

    def encode(self, kind: str, hours: float, **claims: str) -> str:
        """Return a text that says of a kind of cookie what only this service can write.

        Args:
            kind: What it is for; it counts as nothing else.
            hours: How long it counts.
            claims: What it says.
        """
        expires = self._clock() + dt.timedelta(hours=hours)
        return str(jwt.encode({**claims, "kind": kind, "exp": expires}, self._read_secret(), algorithm=ALGORITHM))

    def decode(self, token: str | None, kind: str) -> dict[str, str] | None:
        """Return what a text of a kind says; None if it is missing, forged, of another kind or too old."""
        if token is None:
            return None
        try:
            options = {"require": ["exp", "kind"], "verify_exp": False}
            claims = jwt.decode(token, self._read_secret(), algorithms=[ALGORITHM], options=options)
        except jwt.PyJWTError:
            return None
        if claims["kind"] != kind or self._clock().timestamp() >= claims["exp"]:
            return None
        return {name: str(value) for name, value in claims.items()}

    def digest(self, text: str) -> str:
        """Return a keyed hash of a text, 64 hex digits."""
        return hmac.new(self._read_secret(), text.encode(), hashlib.sha256).hexdigest()

    def put(self, request: Request, response: Response, name: str, value: str, path: str, seconds: int) -> None:
        """Set a cookie, which no script can read and no other site's form brings along.

        Args:
            request: What is answered: over HTTPS the cookie never goes over HTTP.
            response: The answer.
            name: Name of the cookie.
            value: What it holds.
            path: Where browsers send it.
            seconds: How long they keep it.
        """
        is_secure = request.url.scheme == "https" or (
            self._is_behind_proxy and request.headers.get("x-forwarded-proto", "") == "https"
        )
        response.set_cookie(
            name, value, max_age=seconds, path=path, secure=is_secure, httponly=True, samesite="lax"
        )

    def _read_secret(self) -> bytes:
        """Return the secret of the home, which the first worker makes."""
        if self._secret is None:
            with locked(self._file.with_suffix(".lock")):
                if not self._file.exists():
                    replace_file(self._file, secrets.token_bytes(32))
                self._secret = self._file.read_bytes()
        return self._secret
