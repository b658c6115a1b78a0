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
