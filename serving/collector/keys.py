"""Authentication of senders by key, wherever a tracker can put one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import HTTPConnection

from serving.access import Access, missing_key, read_header_key


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

    def __init__(self, access: Access) -> None:
        self._access = access

    def sender(self, request: HTTPConnection, in_body: Iterable[Any] = (), in_query: Iterable[Any] = ()) -> Sender:
        """Authenticate the sender of a request.

        Args:
            request: its headers are searched for a key.
            in_body: other places where this protocol carries a key, such as Segment's `writeKey`.
            in_query: the same for browser keys in the query of a route whose senders can set no header.

        Raises:
            ApiError: 401 without a known key; 403 from another machine where there are no keys, or from a page for
                which the browser key is not meant.
        """
        if not self._access.keys:
            self._access.open_caller(request)
            return Sender("open", "open")
        keys = _texts([read_header_key(request), *in_body])
        public_keys = _texts(in_query)
        if not keys and not public_keys:
            raise missing_key()
        caller = self._access.key_caller(request, keys, public_keys)
        return Sender(caller.kind, caller.key_id)


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]
