"""A service from its start to its end: open, with the checks that it makes beside its answers."""

from __future__ import annotations

from serving.tessera import Tessera
from serving.upkeep.regular_checks import RegularChecks


class RunningService:
    """Starts and stops a service together with its regular checks.

    Args:
        tessera: The service.
    """

    def __init__(self, tessera: Tessera) -> None:
        self._tessera = tessera
        self._checks: RegularChecks | None = None

    async def start(self) -> None:
        """Open the service, and begin to check for what is new. A second call changes nothing."""
        if self._checks is None:
            await self._tessera.open()
            self._checks = RegularChecks(self._tessera)
            self._checks.start()

    async def stop(self) -> None:
        """End the checks, and close the service; what was accepted is on disk."""
        if self._checks is not None:
            await self._checks.stop()
            self._checks = None
        await self._tessera.close()
