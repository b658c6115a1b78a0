"""Opens the store that the settings choose for the online state."""

from __future__ import annotations

from ml.errors import TesseraError
from serving.start import ServiceConfig
from serving.state.sqlite_store import SqliteStore
from serving.state.store import StateStore


class StateError(TesseraError):
    """The store that the settings choose cannot be opened; the message says what to do."""


def open_store(config: ServiceConfig) -> StateStore:
    """Open the store that the settings choose.

    Raises:
        StateError: The settings choose Redis, and its client or its address is missing.
    """
    if config.settings.serving.state.engine == "sqlite":
        return SqliteStore(config.home.state_db)
    if config.redis_url is None:
        raise StateError("serving.state.engine is redis: set TESSERA_REDIS_URL, such as redis://127.0.0.1:6379/0")
    try:
        from serving.state.redis_store import RedisStore  # noqa: PLC0415  the client is an extra
    except ImportError:
        raise StateError(
            "serving.state.engine is redis: install the extra, `pip install tessera[redis]`"
        ) from None
    return RedisStore(config.redis_url)
