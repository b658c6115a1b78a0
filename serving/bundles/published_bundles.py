"""The published bundle that the service answers from, and the check for a newer one."""

from __future__ import annotations

import logging
from pathlib import Path

from ml.bundle import BundleError, find_canary, find_current
from ml.decisions.items.bundle_index import BundleIndex

logger = logging.getLogger("tessera.serving")


class PublishedBundles:
    """Holds the current bundle and checks for newer ones. A bad one is refused, and the previous one stays.

    Args:
        folders: Folders that may hold CURRENT. The first that has it counts.

    Attributes:
        loaded: The bundle that answers; None before the first one.
        refused: Reason of refusal by version.
        swaps: Number of times that a bundle replaced another.
    """

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders
        self.loaded: BundleIndex | None = None
        self.refused: dict[str, str] = {}
        self.swaps = 0

    def find_newer(self) -> Path | None:
        """Return the folder of the current version if it was neither loaded nor refused yet."""
        try:
            path = find_current(self.folders)
        except BundleError as error:
            self.refuse("CURRENT", str(error))
            return None
        if path is None or path.name in self.refused:
            return None
        return path if self.loaded is None or self.loaded.bundle.path != path else None

    def find_canary(self) -> Path | None:
        """Return the folder of the version that is tried beside the one that answers; None for none."""
        try:
            path = find_canary(self.folders)
        except BundleError as error:
            self.refuse("CANARY", str(error))
            return None
        if path is None or self.loaded is None or self.loaded.bundle.path == path:
            return None
        return path

    def accept(self, index: BundleIndex) -> None:
        """Answer from this bundle from now on."""
        if self.loaded is not None:
            self.swaps += 1
        self.loaded = index
        logger.info("answering from bundle %s, model %s", index.bundle.version, index.bundle.model_version)

    def why_not_ready(self) -> str | None:
        """Return what is missing and what to do about it, or None if there is a bundle."""
        if self.loaded is not None:
            return None
        if self.refused:
            version, reason = next(reversed(self.refused.items()))
            return f"bundle {version} was refused: {reason}; publish again with `tessera materialize`"
        return f"nothing is published in {self.folders[0]}: run `tessera materialize`"

    def refuse(self, version: str, reason: str) -> None:
        """Remember why a version is refused, and log it once."""
        if self.refused.get(version) != reason:
            logger.error("bundle %s refused: %s", version, reason)
        self.refused[version] = reason
