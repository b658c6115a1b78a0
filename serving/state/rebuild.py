"""Rebuilds the online state from the event log, as a process of its own: `python -m serving.state.rebuild`."""

from __future__ import annotations

import sys

from ml.errors import TesseraError
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.privacy.home_checks import open_home
from serving.start import ServiceConfig, read_service_config
from serving.state.initial_fill import FILLED, fill_if_empty
from serving.state.store_engine import open_store


def rebuild_state(config: ServiceConfig) -> int:
    """Fill the store anew with the changes and profiles of the event log, and return the number of changes.

    What was learned online, such as the counts of a bandit, is kept where the store still has it.

    Raises:
        StoreUnavailableError: The store cannot be reached.
        DamagedFileError: The event log is damaged.
    """
    store = open_store(config)
    try:
        store.put_value(FILLED, None)
        limit = config.settings.serving.state.max_changes
        filled = fill_if_empty(store, EventLog(config.home), limit, Quarantine(config.home))
        return len(store.since(0, limit)) if filled.position else 0
    finally:
        store.close()


def main() -> int:
    """Rebuild the state of the home that the environment names; the exit status is 1 after a foreseen error."""
    try:
        config = read_service_config()
        open_home(config.home)
        sys.stdout.write(f"{rebuild_state(config)}\n")
    except TesseraError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
