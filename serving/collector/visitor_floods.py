"""Tells a flood of made-up visitors from the visitors of a page.

Every request may name another device, so somebody with the browser key can make up any number of visitors who open
an item once each. A network that brings more visitors in an hour than people could be is suspected.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict

REMEMBERED_NETWORKS = 10_000


class VisitorFloods:
    """Counts the visitors of each browser key and network, hour by hour, in bounded memory.

    Args:
        most: Visitors that one network may bring in an hour; 0 is no limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._visitors: OrderedDict[tuple[str, str], tuple[int, set[str]]] = OrderedDict()

    def is_flood(self, key_id: str, network: str, visitor: str, at: dt.datetime) -> bool:
        """Return whether a visitor is one too many of a network in this hour; those before it never are."""
        if not self._most:
            return False
        hour = int(at.timestamp() // 3600)
        counted_hour, visitors = self._visitors.pop((key_id, network), (hour, set()))
        if counted_hour != hour:
            visitors = set()
        self._visitors[key_id, network] = (hour, visitors)
        if len(self._visitors) > REMEMBERED_NETWORKS:
            self._visitors.popitem(last=False)
        if visitor in visitors:
            return False
        if len(visitors) >= self._most:
            return True
        visitors.add(visitor)
        return False
