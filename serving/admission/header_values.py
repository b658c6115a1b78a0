"""The headers of a request as a dictionary, which is made once for a request."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import HTTPConnection

KEPT_IN = "tessera.headers"


def header_values(request: HTTPConnection) -> Mapping[str, str]:
    """Return the first value of each header by its name in lower case.

    Starlette's `Headers` go through all headers and decode each of them for every look-up, and a request needs
    about twenty look-ups.
    """
    values: dict[str, str] | None = request.scope.get(KEPT_IN)
    if values is None:
        values = {}
        for name, value in request.scope["headers"]:
            values.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        request.scope[KEPT_IN] = values
    return values
