"""The ids of a person, each in its namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PersonIds:
    """The ids of a person.

    Attributes:
        users: The id that was asked for, and its pseudonym if it is an e-mail address.
        devices: Ids of devices that only this person used.
    """

    users: tuple[str, ...]
    devices: tuple[str, ...] = ()

    @property
    def all(self) -> list[str]:
        """All ids, the one that was asked for first."""
        return [*self.users, *self.devices]
