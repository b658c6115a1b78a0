"""Opens the store that the settings choose for the online state."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sqlite3
from pathlib import Path

from ml.errors import TesseraError
from serving.start import ServiceConfig
from serving.state.sqlite_store import SqliteStore, lock_file
from serving.state.store import StateStore

logger = logging.getLogger("tessera.serving")


class StateError(TesseraError):
    """The store that the settings choose cannot be opened; the message says what to do."""


def open_store(config: ServiceConfig) -> StateStore:
    """Open the store that the settings choose.

    A damaged file of the embedded store is set aside, and an empty one takes its place.

    Raises:
        StateError: The settings choose Redis, and its client or its address is missing, or the file of the
            embedded store cannot be opened.
    """
    if config.settings.serving.state.engine == "sqlite":
        return open_sqlite_store(config.home.state_db, dt.datetime.now(dt.UTC))
    if config.redis_url is None:
        raise StateError("serving.state.engine is redis: set TESSERA_REDIS_URL, such as redis://127.0.0.1:6379/0")
    try:
        from serving.state.redis_store import RedisStore  # noqa: PLC0415  the client is an extra
    except ImportError:
        raise StateError(
            "serving.state.engine is redis: install the extra, `pip install tessera[redis]`"
        ) from None
    return RedisStore(config.redis_url)


def open_sqlite_store(path: Path, now: dt.datetime) -> SqliteStore:
    """Open the embedded store; a damaged file is renamed to `state.db.damaged-<time>`, once for all workers.

    Raises:
        StateError: The file cannot be opened, for a reason that a new file would not mend.
    """
    with lock_file(path):
        try:
            store = SqliteStore(path)
            damage = store.find_damage()
        except sqlite3.OperationalError as error:
            raise StateError(
                f"{path} cannot be opened: {error}; check that the service may read and write it"
            ) from error
        except sqlite3.DatabaseError as error:
            damage = str(error)
        else:
            if damage is None:
                return store
            store.close()
        aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
        for suffix in ("", "-wal", "-shm"):
            file = path.with_name(path.name + suffix)
            if file.exists():
                os.replace(file, aside.with_name(aside.name + suffix))
        logger.error("%s is damaged (%s): set aside as %s and rebuilt from the log", path, damage, aside.name)
        return SqliteStore(path)
