"""Identity tokens as the server of a site makes them."""

from __future__ import annotations

import datetime as dt
import importlib
from typing import Any

SECRET = "0123456789abcdef0123456789abcdef"


def sign(user_id: str | None = "ann", secret: str = SECRET, *, minutes: float | None = 60, **claims: Any) -> str:
    """A token for a user. A claim that is None is left out."""
    jwt = importlib.import_module("jwt")
    expires = None if minutes is None else dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    whole = {"sub": user_id, "aud": "tessera", "exp": expires, **claims}
    return str(jwt.encode({name: value for name, value in whole.items() if value is not None}, secret, "HS256"))
