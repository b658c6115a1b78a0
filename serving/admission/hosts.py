"""Which names the service answers to, and which pages may call a service without keys.

A service without keys trusts its own machine, and so it has to tell the programs of the machine from the pages
that its browsers show. A page can give its own name the address 127.0.0.1 (DNS rebinding), which the `Host` of its
requests reveals. It can also post to 127.0.0.1 across origins, which `Origin`, `Sec-Fetch-Site` and the content
type reveal. Starlette's
`TrustedHostMiddleware` knows neither IPv6 addresses nor origins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ml.events.normalization.short_text_cache import cache_short_texts
from ml.keys.origins import origin_of
from serving.admission.client_address import is_loopback
from serving.errors import ApiError

LOCAL_NAMES = frozenset({"localhost"})
CHANGING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FORM = "application/x-www-form-urlencoded"
PAGES_WITH_FORMS = ("/console/", "/me/")


class HostRules:
    """The rules of a service.

    Args:
        allowed_hosts: Names beside those of this machine, such as tessera.example or *.example; empty allows every
            name on a service with keys.
        page_origins: Origins of pages that may call across origins.
        beacon_paths: Paths whose trackers post JSON as text/plain.
    """

    def __init__(
        self, allowed_hosts: Sequence[str], page_origins: Sequence[str], beacon_paths: frozenset[str]
    ) -> None:
        self._names = frozenset(host.lower() for host in allowed_hosts if not host.startswith("*."))
        self._suffixes = tuple(host[1:].lower() for host in allowed_hosts if host.startswith("*."))
        self._page_origins = frozenset(origin.rstrip("/") for origin in page_origins)
        self._beacon_paths = beacon_paths

    def check(self, method: str, path: str, headers: Mapping[str, str], *, has_keys: bool) -> None:
        """Check a request.

        Raises:
            ApiError: 403 naming `host`, `origin` or `referer`, or 415 naming `content-type`.
        """
        if has_keys:
            if (self._names or self._suffixes) and not self._is_allowed(headers.get("host", "")):
                raise self._wrong_host(headers)
            return
        if not self._is_allowed(headers.get("host", "")):
            raise self._wrong_host(headers)
        if "x-forwarded-for" in headers or "forwarded" in headers:
            raise ApiError(
                403,
                "this request came through a proxy, and a service without keys answers its own machine only: "
                "create a key with `tessera keys create`",
                "x-forwarded-for",
            )
        self._check_page(headers)
        if method in CHANGING_METHODS:
            self._check_content_type(path, headers)

    def _is_allowed(self, host: str) -> bool:
        name = _name_of(host)
        if name is None:
            return False
        return (
            name in LOCAL_NAMES or name in self._names or name.endswith(self._suffixes or "/") or is_loopback(name)
        )

    def _check_page(self, headers: Mapping[str, str]) -> None:
        """Refuse what a page of another site sends; a program sends none of these headers.

        Raises:
            ApiError: 403.
        """
        origin = headers.get("origin")
        if origin is not None:
            if not self._is_page_allowed(origin_of(origin)):
                raise self._wrong_page("origin")
        elif headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            if not self._is_page_allowed(origin_of(headers.get("referer", ""))):
                raise self._wrong_page("referer")

    def _is_page_allowed(self, origin: str | None) -> bool:
        return origin is not None and (origin in self._page_origins or self._is_allowed(urlsplit(origin).netloc))

    def _check_content_type(self, path: str, headers: Mapping[str, str]) -> None:
        """Refuse the content types that a page may post across origins without asking first.

        `curl -d` says that JSON is a form, which is taken from a program and not from a page.

        Raises:
            ApiError: 415.
        """
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in ("", "application/json") or content_type.endswith("+json"):
            return
        is_page = "origin" in headers or "sec-fetch-site" in headers
        if content_type == FORM and (not is_page or path.startswith(PAGES_WITH_FORMS)):
            return  # each form of these pages carries a token of its own
        if content_type == "text/plain" and path in self._beacon_paths:
            return
        raise ApiError(415, f"{content_type[:40]!r} is not accepted; send application/json", "content-type")

    def _wrong_host(self, headers: Mapping[str, str]) -> ApiError:
        host = headers.get("host", "")[:80]
        message = f"{host!r} is not a name of this service; add it to the setting serving.allowed_hosts"
        return ApiError(403, message, "host")

    def _wrong_page(self, field: str) -> ApiError:
        return ApiError(
            403,
            "a service without keys accepts nothing from the pages of other sites: create a browser key with "
            "`tessera keys create`, or add the site to the setting collector.cors_origins",
            field,
        )


@cache_short_texts(1_000)
def _name_of(host: str) -> str | None:
    """Return the name in a `Host` header, without its port; None if it holds anything else."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name if name and "@" not in host and "/" not in host else None
