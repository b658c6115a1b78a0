"""The published bundle that the service answers from, and the look-out for a newer one."""

from __future__ import annotations

import logging
from pathlib import Path

from ml.bundle import BundleError, current_version
from ml.decisions.items.shelf import Shelf

logger = logging.getLogger("tessera.serving")


class Published:
    """Finds, checks and holds the current bundle; a bad one is refused with a reason and the old one stays.

    Args:
        folders: places that may hold CURRENT, the first that has it counts.
    """

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders
        self.loaded: Shelf | None = None
        self.refused: dict[str, str] = {}
        self.swaps = 0

    def wanted(self) -> Path | None:
        """Folder of the version that CURRENT names, None where nothing was published."""
        for folder in self.folders:
            version = current_version(folder)
            if version is not None:
                return folder / version
        return None

    def newer(self) -> Path | None:
        """Folder of a version that is wanted and not yet loaded or refused."""
        try:
            path = self.wanted()
        except BundleError as error:
            self.refuse("CURRENT", str(error))
            return None
        if path is None or path.name in self.refused:
            return None
        return path if self.loaded is None or self.loaded.bundle.path != path else None

    def take(self, loaded: Shelf) -> None:
        """Answer from this bundle from now on."""
        if self.loaded is not None:
            self.swaps += 1
        self.loaded = loaded
        logger.info("answering from bundle %s, model %s", loaded.bundle.version, loaded.bundle.model_version)

    def why_not_ready(self) -> str | None:
        """What is missing and what to do about it; None when there is a bundle."""
        if self.loaded is not None:
            return None
        if self.refused:
            version, reason = next(reversed(self.refused.items()))
            return f"bundle {version} was refused: {reason}; publish again with `tessera materialize`"
        return f"nothing is published in {self.folders[0]}: run `tessera materialize`"

    def refuse(self, version: str, reason: str) -> None:
        """Keep, and say once, why a version is not taken."""
        if self.refused.get(version) != reason:
            logger.error("bundle %s refused: %s", version, reason)
        self.refused[version] = reason
