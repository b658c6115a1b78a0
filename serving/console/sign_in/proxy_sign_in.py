"""Sign-in by a proxy of the site, which says in a header who the reader is."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

from ml.keys.access_key import ROLES
from ml.settings.serving import ConsoleSettings
from serving.admission.client_address import peer_address
from serving.console.sign_in.roles import Reader
from serving.errors import ApiError

MOST_NAME_CHARS = 200


class ProxySignIn:
    """Believes the headers of the proxies that the settings name, and of nobody else.

    Only the address that the connection comes from counts: what `X-Forwarded-For` says, anybody can write.

    Args:
        settings: Names of the headers, and the addresses of the proxies.
    """

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._networks = tuple(map(ipaddress.ip_network, settings.proxy_addresses))

    @property
    def is_on(self) -> bool:
        """Whether the site uses it."""
        return bool(self._settings.proxy_user_header)

    def read(self, request: Request) -> Reader | None:
        """Return whom a proxy vouches for; None if none does.

        Raises:
            ApiError: 403, the proxy names a role that does not exist.
        """
        if not self.is_on or not self._is_proxy(peer_address(request)):
            return None
        names = request.headers.getlist(self._settings.proxy_user_header)
        if len(names) != 1 or not names[0].strip() or len(names[0]) > MOST_NAME_CHARS:
            return None
        name = names[0].strip()
        return Reader(f"proxy:{name}", self._read_role(request), name=name)  # type: ignore[arg-type]

    def _read_role(self, request: Request) -> str:
        header = self._settings.proxy_role_header
        roles = request.headers.getlist(header) if header else []
        if not roles:
            return self._settings.proxy_role
        if len(roles) != 1 or roles[0] not in ROLES:
            raise ApiError(403, f"{header} is {', '.join(roles)[:40]!r}; it may be {', '.join(ROLES)}", header)
        return roles[0]

    def _is_proxy(self, address: str | None) -> bool:
        try:
            peer = ipaddress.ip_address((address or "").partition("%")[0])
        except ValueError:
            return False
        mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
        return any((mapped or peer) in network for network in self._networks)
