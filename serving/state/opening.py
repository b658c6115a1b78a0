"""Which engine keeps the state, by the settings."""

from __future__ import annotations

from serving.start import Start
from serving.state.sqlite_store import SqliteStore
from serving.state.store import StateStore


def open_store(start: Start) -> StateStore:
    """The store that the settings name."""
    return SqliteStore(start.home.state_db)
