"""Who reads their own page: somebody for whom the site's server, its privacy officer or this machine vouches."""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from ml.home import Home
from ml.privacy.person_key import person_key
from serving.access import Access
from serving.admission.signed_cookies import SignedCookies
from serving.errors import ApiError
from serving.privacy.identity_token import VISITOR_PAGE, IdentityTokenError, IdentityTokens
from serving.tessera import Tessera

COOKIE, PATH = "tessera_me", "/me"
SESSION, LINK = "visitor", "visitor_link"
HOURS = 1.0
LINK_HOURS = 24 * 7.0
NO_ENTRANCE = "this page opens by a link from the site, for the person who is signed in there"


@dataclass(frozen=True)
class PageVisitor:
    """Who reads their own page.

    Attributes:
        key: Key of the person; empty after the erasure.
        csrf_token: What the forms of this reader carry.
        language: The language that they chose; empty if they chose none.
        receipt_id: The receipt of the erasure that they asked for.
    """

    key: str
    csrf_token: str
    language: str = ""
    receipt_id: str = ""

    def check_form(self, token: str) -> None:
        """Check that a form comes from a page of this reader.

        Raises:
            ApiError: 403.
        """
        if not hmac.compare_digest(self.csrf_token.encode(), token.encode()):
            raise ApiError(403, "this form is too old, or another site sent it: load the page again", "csrf_token")


class VisitorSessions:
    """Lets people in to their own page, and knows them again for an hour.

    Three doors lead there: a token of the site's server with the `aud` "tessera:me", a link of the console, and on
    a service without keys, which answers its own machine only, the id itself.

    Args:
        home: The home.
        access: The keys.
        tokens: Verifies tokens of the site's server.
        is_behind_proxy: Whether proxies of the site stand in front.
        clock: The present time.
    """

    def __init__(
        self,
        home: Home,
        access: Access,
        tokens: IdentityTokens,
        is_behind_proxy: bool,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._cookies = SignedCookies(home, is_behind_proxy, clock)
        self._access = access
        self._tokens = tokens

    def enter(self, request: Request) -> str:
        """Return the key of the person for whom the address of a request vouches; empty if it names nobody.

        Raises:
            ApiError: 401, the token vouches for nobody; 403, an id alone was given to a service with keys.
        """
        query = request.query_params
        if "token" in query:
            return self._verify(query["token"])
        key = person_key(query.get("user_id"), query.get("anonymous_id"))
        if key is None:
            return ""
        if self._access.keys:
            raise ApiError(403, NO_ENTRANCE)
        self._access.open_caller(request)
        return key

    def read(self, request: Request) -> PageVisitor:
        """Return who reads.

        Raises:
            ApiError: 401, nobody who came in by a door within the hour.
        """
        claims = self._cookies.decode(request.cookies.get(COOKIE), SESSION)
        if claims is None:
            raise ApiError(401, NO_ENTRANCE)
        return PageVisitor(claims["key"], claims["csrf"], claims["language"], claims["receipt"])

    def begin(self, request: Request, response: Response, key: str, language: str = "") -> None:
        """Begin a session of the person with a key."""
        self.keep(request, response, PageVisitor(key, secrets.token_urlsafe(18), language))

    def keep(self, request: Request, response: Response, visitor: PageVisitor, **changes: str) -> None:
        """Keep the session of a visitor, with what changed."""
        kept = replace(visitor, **changes)
        token = self._cookies.encode(
            SESSION, HOURS, key=kept.key, csrf=kept.csrf_token, language=kept.language, receipt=kept.receipt_id
        )
        self._cookies.put(request, response, COOKIE, token, PATH, round(HOURS * 3600))

    def end(self, response: Response) -> None:
        """End a session in this browser."""
        response.delete_cookie(COOKIE, path=PATH)

    def make_link(self, key: str) -> str:
        """Return the address, from the root of the service, of the page of the person with a key."""
        return f"{PATH}?token={self._cookies.encode(LINK, LINK_HOURS, key=key)}"

    def _verify(self, token: str) -> str:
        link = self._cookies.decode(token, LINK)
        if link is not None:
            return link["key"]
        try:
            identity = self._tokens.verify(token, VISITOR_PAGE)
        except IdentityTokenError as error:
            raise ApiError(401, f"the token of this link {error}: go back to the site for a new one") from None
        return str(person_key(identity.user_id, None))


def make_visitor_sessions(tessera: Tessera) -> VisitorSessions:
    """Return what lets visitors of a service in to their own page."""
    config = tessera.config
    is_behind_proxy = config.settings.collector.trusted_proxies > 0
    return VisitorSessions(
        config.home, tessera.access, tessera.collector.identity_tokens, is_behind_proxy, tessera.clock
    )
