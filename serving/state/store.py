"""The face of the durable online state, whichever engine keeps it.

A store is an ordered log of recent changes, which every worker reads on and reduces in memory, and the profiles:
what people said themselves. The same contract test runs for every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ml.decisions.activity.activity import Change

Position = int


class StateStore(Protocol):
    """Shared by all workers of a service; safe against kill -9."""

    def append(self, changes: Sequence[Change]) -> Position:
        """Keep the changes, in order and without others between them; returns the position of the last one."""

    def since(self, position: Position, limit: int) -> list[tuple[Position, Change]]:
        """The oldest `limit` changes after `position`, each with its own position."""

    def newest(self) -> Position:
        """Position of the newest change, 0 where there is none."""

    def trim(self, keep: int) -> None:
        """Drop all but the newest `keep` changes."""

    def profile(self, user: str) -> dict[str, Any]:
        """What a person set: preferences, mutes, caps, consent; empty where nothing was set."""

    def put_profile(self, user: str, profile: Mapping[str, Any]) -> None:
        """Replace a person's profile."""

    def forget(self, user: str) -> int:
        """Remove a person's changes and profile so that no byte of them stays; returns how many records went."""

    def value(self, name: str) -> Any:
        """A named document of the service (learned weights, say), None where there is none."""

    def put_value(self, name: str, value: Any) -> None:
        """Replace a named document."""

    def change_value(self, name: str, change: Callable[[Any], Any]) -> Any:
        """Replace a document by what `change` makes of it, no other worker's change between; returns the new one.

        `change` may be called again where another worker was faster.
        """

    def close(self) -> None:
        """Give connections back."""
