"""The roles of the console, and what each lets a reader do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ml.keys.access_key import ConsoleRole
from serving.errors import ApiError

Action = Literal["edit", "people", "settings"]
"""`edit` acknowledges alarms, replays dead letters, writes segments, rules and funnels, and starts and stops
experiments; `people` looks at, exports and erases a person; `settings` changes settings, also those of access."""
Role = ConsoleRole | Literal["owner"]
ACTIONS: Mapping[Role, frozenset[Action]] = {
    "viewer": frozenset(),
    "editor": frozenset({"edit"}),
    "privacy-officer": frozenset({"people"}),
    "owner": frozenset({"edit", "people", "settings"}),
}
"""Owners hold a secret key, which may do everything anyway, or sit at the machine of a service without keys."""
NEEDS: Mapping[Action, str] = {
    "edit": "the role editor",
    "people": "the role privacy-officer",
    "settings": "a secret key",
}


@dataclass(frozen=True)
class Reader:
    """Who reads a page.

    Attributes:
        key_id: Id of the key; `open` on a service without keys, and `proxy:` with the name that a proxy says.
        role: What the reader may do.
        csrf_token: What forms of this session have to carry; empty without a session.
        name: How the console calls the reader.
    """

    key_id: str
    role: Role
    csrf_token: str = ""
    name: str = ""

    @property
    def has_session(self) -> bool:
        """Whether there is a session that can be ended."""
        return bool(self.csrf_token)

    @property
    def likeness(self) -> str:
        """What readers have in common who see the same page but for their name and token."""
        return f"{self.role} {self.has_session} {bool(self.name)}"

    def may(self, action: Action | None) -> bool:
        """Return whether the reader may do something; None is reading figures, which everybody may."""
        return action is None or action in ACTIONS[self.role]

    def require(self, action: Action | None) -> None:
        """Check that the reader may do something.

        Raises:
            ApiError: 403.
        """
        if action is not None and not self.may(action):
            raise ApiError(403, f"this needs {NEEDS[action]}; you are signed in as {self.role}")
