"""Keeps a worker of the service small: no libraries that nothing calls, and no memory that is free."""

from __future__ import annotations

import ctypes
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


def give_back_free_memory() -> None:
    """Give the system what a large piece of work has left free between what is still used.

    The C library keeps it otherwise: 290,000 changes, read once to fill an empty state, leave 280 MiB. Libraries
    without `malloc_trim`, such as musl and macOS's, decide by themselves.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
