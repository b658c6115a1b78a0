"""Bundles of a home in the object store of its settings."""

from __future__ import annotations

from ml.bundle import current_version
from ml.bundle.object_store import ObjectStore, SharedVersions
from ml.home import Home
from ml.settings import Settings


def share_bundles(home: Home, settings: Settings) -> SharedVersions | None:
    """Bring the object store to the bundles that services need: the current one and the challenger.

    Returns:
        What the store holds; None where no store is set or nothing is published.

    Raises:
        BundleError: A bundle is incomplete.
        ObjectStoreError: The store cannot be used.
    """
    address, challenger = settings.storage.bundles, settings.serving.challenger.version
    if not address or current_version(home.published) is None:
        return None
    return ObjectStore(address).share(home.published, [challenger])
