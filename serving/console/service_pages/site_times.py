"""Times that readers write, by the clock of the site."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from serving.errors import ApiError
from serving.tessera import Tessera


def read_site_time(text: str, tessera: Tessera, field: str = "at") -> dt.datetime:
    """Read a time at the site; empty is now.

    Raises:
        ApiError: 422, it is none.
    """
    if not text.strip():
        return tessera.clock()
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise ApiError(422, f"{field} is {text[:40]!r}; write a time such as 2026-12-24 18:00", field) from None
    if not 2000 <= moment.year < 2100:
        raise ApiError(422, f"{field} is {text[:40]!r}; write a time from the years 2000 to 2099", field)
    zone = ZoneInfo(tessera.config.settings.warehouse.site_timezone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
