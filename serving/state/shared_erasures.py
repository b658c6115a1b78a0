"""Erased ids of services on several machines, each with a home of its own, that share one store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms
from serving.state.store import StateStore
from serving.state.store_engine import StateError

ERASED_IDS, SITE_KEY = "erased_ids", "site_key"
"""Documents of the store: the digests of erased ids, and the fingerprint of the key that makes them."""


class SharedErasures:
    """Brings the erased ids of a home and of the store to their union.

    Args:
        store: The store.
        erased: The erased ids of the home.
        pseudonyms: The key of the site, by which ids are recognized.
    """

    def __init__(self, store: StateStore, erased: ErasedIds, pseudonyms: Pseudonyms) -> None:
        self._store = store
        self._erased = erased
        self._pseudonyms = pseudonyms

    def check_key(self) -> None:
        """Check that this home has the key of the site that the others have.

        Raises:
            StateError: It has another one, so that nobody would be recognized whom another machine erased.
            StoreUnavailableError: The store cannot be reached.
        """
        fingerprint = self._pseudonyms.fingerprint()
        first = self._store.change_value(SITE_KEY, lambda stored: stored or fingerprint)
        if first != fingerprint:
            raise StateError(
                "site.key of this home differs from that of the other services on this Redis: copy site.key and "
                "site.key.check from one of their homes, or give this site a Redis database of its own"
            )

    def exchange(self) -> bool:
        """Write the erased ids of the home to the store, and those of the store to the home.

        Returns:
            Whether the home learned of any.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        self._erased.refresh()
        of_home = self._erased.digests
        shared = frozenset(self._store.value(ERASED_IDS) or ())
        if of_home - shared:

            def unite(stored: Sequence[str] | None) -> Any:
                return sorted(of_home.union(stored or ()))

            shared = frozenset(self._store.change_value(ERASED_IDS, unite))
        if shared - of_home:
            self._erased.add_digests(sorted(shared - of_home))
        return bool(shared - of_home)
