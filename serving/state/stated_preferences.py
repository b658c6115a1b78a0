"""What people state in `preference` events, which counts from the next answer on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ml.decisions.activity.profiles import PREFERENCE, change_profile
from ml.events.quarantine import Quarantine
from ml.privacy.person_key import person_key
from serving.state.online import SERVICE, OnlineState
from serving.state.store import StoreUnavailableError


class StatedPreferences:
    """Folds preferences of collected events into the profiles of the store. The caller records the events next.

    Those of the service itself are left out, since it stores what its API is told, and so are those of a browser
    that nobody vouches for.

    Args:
        state: The online state.
        quarantine: Where an event that cannot be folded is recorded.
    """

    def __init__(self, state: OnlineState, quarantine: Quarantine) -> None:
        self._state = state
        self._quarantine = quarantine
        self._waiting: deque[tuple[str, str, str | None]] = deque()

    def fold(self, events: pa.Table) -> None:
        """Take in collected events, and what waits since the store was away."""
        self._waiting.extend(_list_preferences(events))
        while self._waiting:
            event_id, person, properties = self._waiting[0]
            try:
                profile = change_profile(self._state.store.profile(person), properties)
                self._state.store.put_profile(person, profile)
            except StoreUnavailableError as error:
                self._state.report(error)
                return
            except Exception as error:  # noqa: BLE001  # whatever an event holds, the events after it count
                self._quarantine.set_aside(event_id, error, SERVICE)
            self._waiting.popleft()


def _list_preferences(events: pa.Table) -> Iterator[tuple[str, str, str | None]]:
    """Yield id, person's key and properties of each preference that counts."""
    is_preference = pc.equal(events["event_type"], PREFERENCE)
    if not pc.any(is_preference).as_py():  # hardly any batch has one, and each batch comes by here
        return
    stated = events.filter(is_preference)
    stated = stated.filter(pc.is_in(stated["authority"], value_set=pa.array(["server", "signed"])))
    for row in stated.select(["event_id", "user_id", "anonymous_id", "properties"]).to_pylist():
        person = person_key(row["user_id"], row["anonymous_id"])
        if person is not None:
            yield row["event_id"], person, row["properties"]
