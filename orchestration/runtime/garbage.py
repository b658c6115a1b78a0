"""Loads modules without the garbage collector, which would walk them over and over."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_for_good() -> Iterator[None]:
    """Run a block whose objects stay until the process ends, and leave them out of all later collections.

    The libraries of the pipeline are a million objects; walking them takes a collection a quarter of a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def release_loaded() -> None:
    """Return what was loaded for good to the collector, so that DuckDB reports no leaks as the process ends."""
    gc.unfreeze()
    gc.collect()
