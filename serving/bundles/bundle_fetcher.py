"""Takes bundles from an object store, for services that share no disk with the pipeline."""

from __future__ import annotations

import fcntl
import logging

from ml.bundle import BundleError, current_version, remove_abandoned_versions
from ml.bundle.object_store import ObjectStore, ObjectStoreError
from ml.home import Home, make_folder

logger = logging.getLogger("tessera.serving")


class BundleFetcher:
    """Brings the fetched bundles of a home to what the object store holds.

    A home that publishes bundles itself fetches none: what it shares comes from there.

    Args:
        address: The folder of the object store, see `StorageSettings.bundles`; empty for none.
        home: The home of the service.

    Attributes:
        fault: Why the last attempt failed; None if it did not.
    """

    def __init__(self, address: str, home: Home) -> None:
        self.store = ObjectStore(address) if address else None
        self.fault: str | None = None
        self._published, self._folder = home.published, home.fetched

    def fetch(self) -> None:
        """Fetch what is new and delete what the store has no more; what cannot be had stays as it is.

        It waits for the store, so it runs beside the event loop. Of several workers of a home, one fetches.
        """
        if self.store is None or current_version(self._published) is not None:
            return
        make_folder(self._folder)
        with open(self._folder / "lock", "a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # another worker fetches
                return
            remove_abandoned_versions(self._folder)
            self._record_fault(self._fetch(self.store))

    def _fetch(self, store: ObjectStore) -> str | None:
        """Fetch, and return what is wrong; None for nothing."""
        try:
            shared = store.read_versions()
            if shared is None:
                return f"nothing is shared in {store.address}: run `tessera materialize` where the pipeline runs"
            store.fetch(self._folder, shared)
        except (ObjectStoreError, BundleError) as error:
            return str(error)
        return None

    def _record_fault(self, fault: str | None) -> None:
        if fault is not None and fault != self.fault:
            logger.error("no bundle can be fetched: %s", fault)
        if fault is None and self.fault is not None:
            logger.info("bundles are fetched again")
        self.fault = fault
