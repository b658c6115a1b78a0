"""The interface of the durable online state, whichever engine keeps it.

A store is an ordered log of recent changes, which every worker reads and reduces in memory, and the profiles,
which hold what people set themselves. The same contract test runs for every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ml.decisions.activity.state_change import StateChange
from serving.errors import ApiError

Position = int
RETRY_AFTER_SECONDS = 1.0


class StoreUnavailableError(ApiError):
    """The store cannot be read or written now; the same request can succeed later."""

    def __init__(self, message: str) -> None:
        super().__init__(503, f"the online state is unavailable: {message}", None, RETRY_AFTER_SECONDS)


class StateStore(Protocol):
    """A store that all workers of a service share, and that survives kill -9.

    Every method raises StoreUnavailableError while the store cannot be reached.
    """

    def append(self, changes: Sequence[StateChange]) -> Position:
        """Append the changes in order, with no others between them, and return the position of the last one."""

    def since(self, position: Position, limit: int) -> list[tuple[Position, StateChange]]:
        """Return the oldest `limit` changes after `position`, each with its position."""

    def newest(self) -> Position:
        """Return the position of the newest change, 0 without any."""

    def trim(self, keep: int) -> None:
        """Drop all but the newest `keep` changes."""

    def profile(self, user: str) -> dict[str, Any]:
        """Return what a person set: preferences, mutes, caps; empty if nothing was set."""

    def put_profile(self, user: str, profile: Mapping[str, Any]) -> None:
        """Replace a person's profile."""

    def forget(self, user: str) -> int:
        """Remove a person's changes and profile so that no byte stays, and return how many records went."""

    def remove_events(self, events: Collection[tuple[str, str]]) -> int:
        """Remove the changes that events of people made, and return their number.

        Args:
            events: The id of each event, and the key of its person.
        """

    def value(self, name: str) -> Any:
        """Return a named document of the service, for example learned weights; None if there is none."""

    def put_value(self, name: str, value: Any) -> None:
        """Replace a named document."""

    def change_value(self, name: str, change: Callable[[Any], Any]) -> Any:
        """Replace a document by what `change` returns for it, with no change of another worker between.

        `change` may be called again if another worker was faster.

        Returns:
            The new document.
        """

    def lock(self) -> AbstractContextManager[None]:
        """Hold the store's lock, which one worker has at a time, until the block ends."""

    def reconnect_if_replaced(self) -> None:
        """Follow a store that stands in the place of the one that was opened, if there is one."""

    def close(self) -> None:
        """Release connections."""
