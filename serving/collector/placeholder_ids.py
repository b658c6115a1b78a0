"""Counts the ids that name nobody, and says in the log who sends them."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter

from ml.events.normalization.ids import NOBODY
from serving.collector.keys import Sender
from serving.observability.metrics import PLACEHOLDER_IDS

logger = logging.getLogger(__name__)
SILENCE = dt.timedelta(minutes=1)  # between two lines of the log about one sender and id


class PlaceholderIds:
    """Ids such as `null`, `undefined` or the UUID of zeros: each would be one person with everybody's devices."""

    def __init__(self) -> None:
        self._logged_at: dict[tuple[str, str, str], dt.datetime] = {}

    def report(self, ids: Counter[str], sender: Sender, source: str, received_at: dt.datetime) -> None:
        """Count the ids of a request, and warn of each at most once a minute and sender.

        Args:
            ids: Numbers by field and word, such as `user_id 'null'`, of which there are few.
            sender: Who sent them.
            source: The protocol.
            received_at: The time of the request.
        """
        for name, count in ids.items():
            PLACEHOLDER_IDS.labels(name.split(" ")[0], sender.key_id).inc(count)
            key = (sender.key_id, source, name)
            last = self._logged_at.get(key)
            if last is None or received_at - last >= SILENCE:
                self._logged_at[key] = received_at
                logger.warning("%s from the sender %s (%s) %s", name, sender.key_id, source, NOBODY)


def placeholder_warnings(ids: Counter[str]) -> list[str]:
    """Say what was removed, for the answer to the sender."""
    return [f"{name} {NOBODY}; {count} events have no such id now" for name, count in ids.items()]
