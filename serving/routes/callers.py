"""What a caller may request, and for whom.

A browser key is public. With it, a page requests answers for its own device, and for a known user only with an
identity token of the site's server.
"""

from __future__ import annotations

from typing import TypeVar

from starlette.requests import Request

from ml.privacy.person_key import CALLER
from serving.access import Caller
from serving.admission.client_address import client_address, network_of
from serving.admission.header_values import header_values
from serving.errors import ApiError
from serving.privacy.identity_token import FIELD, HEADER, Identity, IdentityTokenError
from serving.requests import RecommendationRequest
from serving.tessera import Tessera

R = TypeVar("R", bound=RecommendationRequest)


def authorize(tessera: Tessera, http_request: Request, caller: Caller, request: R) -> R:
    """Check that the caller may send a request, and return what may be answered of it.

    The `anonymous_id` beside a user is left out unless the token names the same device: both ids in one record of
    the service would link the device to the user.

    Raises:
        ApiError: 401, the identity token is not valid. 403, the request needs a secret key, or a token of its
            user.
    """
    if caller.is_trusted:
        return request
    if request.at is not None:
        raise ApiError(403, "a browser key cannot set the clock; `at` needs a secret key", "at")
    identity = read_identity(tessera, http_request, request.identity_token)
    require_user(identity, request.user_id)
    if identity is not None and request.user_id is not None and request.anonymous_id != identity.anonymous_id:
        request = request.model_copy(update={"anonymous_id": None})
    if request.person is None and request.session_id is not None:
        # Anybody may name a session, so that it says nothing about who asks.
        request = request.model_copy(update={"session_id": None})
    request.mark_as_of_browser()
    request.count_as(key_of_caller(tessera, http_request, caller, request.person))
    if request.user_id is None and is_flood(tessera, http_request, caller, request.anonymous_id):
        request.mark_as_suspected()
    return request


def is_flood(tessera: Tessera, http_request: Request, caller: Caller, device: str | None) -> bool:
    """Return whether a browser asks for a device that is one too many of its network.

    Its answers and exposures are not logged, and nothing is learned from them. So it is with its events.
    """
    if caller.is_trusted or device is None:
        return False
    address = client_address(http_request, tessera.config.settings.collector.trusted_proxies)
    return tessera.collector.is_flood(caller.key_id, address, device)


def read_identity(tessera: Tessera, http_request: Request, token: str | None = None) -> Identity | None:
    """Return whom the token of a body, or else of the headers, vouches for; None without a token.

    Raises:
        ApiError: 401, the token is not valid.
    """
    token = header_values(http_request).get(HEADER) if token is None else token
    if token is None:
        return None
    try:
        return tessera.collector.identity_tokens.verify(token)
    except IdentityTokenError as error:
        raise ApiError(401, f"the identity token {error}", FIELD) from None


def require_user(identity: Identity | None, user_id: str | None) -> None:
    """Check that the token of a browser names the user of a request.

    Raises:
        ApiError: 403, it names another user, or there is no token.
    """
    if user_id is None:
        return
    if identity is None:
        raise ApiError(
            403, "a browser key asks for an anonymous_id only; a user_id needs an identity token", "user_id"
        )
    if identity.user_id != user_id:
        raise ApiError(403, "the identity token names another user", "user_id")


def key_of_caller(tessera: Tessera, http_request: Request, caller: Caller, person: str | None) -> str | None:
    """Return the key under which a browser's requests for a person count; None for a trusted caller.

    A browser may name any device. What it requests counts towards the caps of its own network and that device
    together, so that it uses up nobody else's. The key is a hash that holds neither the network nor the person.
    """
    if caller.is_trusted or person is None:
        return None
    network = network_of(client_address(http_request, tessera.config.settings.collector.trusted_proxies))
    return CALLER + tessera.pseudonyms.pseudonymize(f"{caller.key_id} {network} {person}")
