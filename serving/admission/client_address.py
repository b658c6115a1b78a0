"""The address of a client, behind the proxies of the site, and the network that it belongs to."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.requests import HTTPConnection

from serving.admission.header_values import header_values

IPV4_NETWORK_BITS, IPV6_NETWORK_BITS = 24, 48
IN_PROCESS = "testclient"
REMEMBERED_ADDRESSES = 10_000
MAX_FORWARDED_CHARS = 4_096


def peer_address(request: HTTPConnection) -> str | None:
    """Return the address that a connection comes from; None if it has none, such as that of a Unix socket."""
    client = request.scope.get("client")
    return client[0] if client else None


def client_address(request: HTTPConnection, trusted_proxies: int) -> str | None:
    """Return the address of the client.

    Each proxy appends the address that it was called from to `X-Forwarded-For`, so the header is read from the
    right: what the client itself wrote stands further left and is never reached.

    Args:
        request: The request.
        trusted_proxies: Number of proxies of the site in front of the service; 0 ignores the header, whoever sends
            it.

    Returns:
        The address; None if the connection has none, such as a Unix socket. An address behind the proxies that is
        none is returned as `unknown`.
    """
    peer = peer_address(request)
    if not trusted_proxies:
        return peer
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))[-MAX_FORWARDED_CHARS:]
    hops = [hop.strip() for hop in forwarded.split(",")] if forwarded else []
    if len(hops) < trusted_proxies:  # the request went around a proxy, so nothing in the header is certain
        return peer
    return _plain_address(hops[-trusted_proxies]) or "unknown"


@lru_cache(REMEMBERED_ADDRESSES)
def network_of(address: str | None) -> str:
    """Return the network of an address, /24 or /48, by which requests are counted.

    A client that owns a network cannot escape a limit by changing its address inside it.
    """
    plain = _plain_address(address or "")
    if plain is None:
        return address or "local"
    bits = IPV4_NETWORK_BITS if "." in plain else IPV6_NETWORK_BITS
    return str(ipaddress.ip_network(f"{plain}/{bits}", strict=False))


def is_in_process(request: HTTPConnection) -> bool:
    """Return whether the client is Starlette's `TestClient`, which calls the application without a connection."""
    return peer_address(request) == IN_PROCESS and header_values(request).get("host") == "testserver"


@lru_cache(REMEMBERED_ADDRESSES)
def is_loopback(address: str | None) -> bool:
    """Return whether an address is of this machine; a connection without an address is."""
    if address is None or address == IN_PROCESS:
        return True  # a Unix socket, or a client in this process
    plain = _plain_address(address)
    return plain is not None and ipaddress.ip_address(plain).is_loopback


@lru_cache(REMEMBERED_ADDRESSES)
def _plain_address(text: str) -> str | None:
    """Return an address without port, brackets and zone, and an IPv4 address as such; None for what is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
