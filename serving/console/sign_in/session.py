"""Who reads the console: sign-in by a key, kept in a signed cookie, or by a proxy of the site."""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from ml.home import Home
from ml.settings.serving import ConsoleSettings
from serving.access import Access
from serving.admission.signed_cookies import SignedCookies
from serving.console.sign_in.proxy_sign_in import ProxySignIn
from serving.console.sign_in.roles import Reader
from serving.errors import ApiError

COOKIE, FORM_COOKIE = "tessera_console", "tessera_console_form"
PATH = "/console"
HOURS = 12


class ConsoleSessions:
    """Signs readers in and recognizes them.

    A session names the id of its key, never the key. It ends with the key: each request looks whether the key
    still works. On a service without keys there are no sessions, and callers on this machine need none. Nor does
    whom a proxy of the site vouches for.

    Args:
        home: The home, whose secret signs the cookies.
        access: The keys.
        is_behind_proxy: Whether proxies of the site stand in front, whose `X-Forwarded-Proto` is believed.
        clock: The present time.
        settings: The proxies that may sign readers in.
    """

    def __init__(
        self,
        home: Home,
        access: Access,
        is_behind_proxy: bool = False,
        clock: Callable[[], dt.datetime] | None = None,
        settings: ConsoleSettings | None = None,
    ) -> None:
        self._cookies = SignedCookies(home, is_behind_proxy, clock)
        self._access = access
        self._proxy = ProxySignIn(settings or ConsoleSettings())

    @property
    def has_keys(self) -> bool:
        """Whether readers have to sign in."""
        return bool(self._access.keys) or self._proxy.is_on

    def read(self, request: Request) -> Reader | None:
        """Return who sends a request; None for who has to sign in.

        Raises:
            ApiError: 403, the service has no keys and the request comes from another machine.
        """
        if not self.has_keys:
            return Reader(self._access.open_caller(request).key_id, "owner")
        vouched = self._proxy.read(request)
        if vouched is not None:
            return vouched
        claims = self._cookies.decode(request.cookies.get(COOKIE), "session")
        if claims is None:
            return None
        key = self._access.keys.find_id(claims["key"])
        if key is None or key.kind == "browser":
            return None
        return Reader(key.key_id, key.role or "owner", claims["csrf"], key.name or key.key_id)

    def sign_in(self, request: Request, key: str, response: Response) -> None:
        """Begin a session with a secret key or a console key.

        Raises:
            ApiError: 401, the key does not work; 403, it is a browser key.
        """
        access_key = self._access.keys.find(key)
        if access_key is None:
            raise ApiError(401, "this key is not known, or it expired or was revoked", "key")
        if access_key.kind == "browser":
            raise ApiError(
                403, "a browser key opens nothing here: it stands in pages that everybody can read", "key"
            )
        token = self._cookies.encode("session", HOURS, key=access_key.key_id, csrf=secrets.token_urlsafe(18))
        self._cookies.put(request, response, COOKIE, token, PATH, HOURS * 3600)
        response.delete_cookie(FORM_COOKIE, path=PATH)

    def sign_out(self, response: Response) -> None:
        """End a session in this browser."""
        response.delete_cookie(COOKIE, path=PATH)

    def new_form_token(self, request: Request, response: Response) -> str:
        """Return a token for the form of the sign-in, whose twin is set as a cookie."""
        token = secrets.token_urlsafe(18)
        twin = self._cookies.encode("form", HOURS, csrf=token)
        self._cookies.put(request, response, FORM_COOKIE, twin, PATH, HOURS * 3600)
        return token

    def check_form(self, request: Request, token: str, reader: Reader | None = None) -> None:
        """Check that a form comes from a page of the console.

        Raises:
            ApiError: 403.
        """
        if reader is not None:
            expected = self.token_of(reader)
        else:
            claims = self._cookies.decode(request.cookies.get(FORM_COOKIE), "form")
            expected = claims["csrf"] if claims is not None else ""
        if not expected or not hmac.compare_digest(expected.encode(), token.encode()):
            raise ApiError(403, "this form is too old, or another site sent it: load the page again", "csrf_token")

    def token_of(self, reader: Reader) -> str:
        """Return what the forms of a reader carry. Without a session it is a keyed hash of who reads."""
        if reader.has_session:
            return reader.csrf_token
        return self._cookies.digest(f"form:{reader.key_id}")
