"""Keeps a worker of the service small: without libraries that nothing calls, and with the system's allocator."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

UNUSED = frozenset({"pandas"})
"""Libraries that others load wherever they are installed, for conversions that the service never asks for.

Arrow and LightGBM do so with pandas. A Bento does not install it.
"""


class UnusedLibraries(MetaPathFinder):
    """Finds nothing for the names of some libraries, whether they are installed or not."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse the libraries, and leave all other modules to the finders that follow.

        Raises:
            ModuleNotFoundError: The module is one of the libraries.
        """
        if fullname in self.names:
            raise ModuleNotFoundError(f"the service does without {fullname}", name=fullname)
        return None


def keep_small() -> None:
    """Let this process import the unused libraries no more, and Arrow take its memory from the system.

    Arrow's own allocator reserves some 40 MiB for the 13 that a small site needs. To be called before anything
    else is imported, since what is loaded stays.
    """
    sys.meta_path.insert(0, UnusedLibraries(UNUSED))
    import pyarrow as pa  # noqa: PLC0415  it would load pandas

    pa.set_memory_pool(pa.system_memory_pool())
