"""Origins of pages, such as https://shop.example, as browsers send them."""

from __future__ import annotations

from urllib.parse import urlsplit

from ml.errors import InvalidInputError

DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """Return an origin in the form in which browsers send it.

    Raises:
        InvalidInputError: The text is no origin.
    """
    origin = origin_of(text)
    if origin is None or urlsplit(text).path not in ("", "/") or "?" in text or "#" in text:
        raise InvalidInputError(
            f"{text!r} is not an origin; write it as https://shop.example, with a port if it has one"
        )
    return origin


def origin_of(url: str) -> str | None:
    """Return the origin of an address such as a `Referer`: scheme, host and port; None if it has none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")
