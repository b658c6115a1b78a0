"""Compiles the pipeline's libraries in a process beside other work, where nobody has imported them yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source, find_spec
from pathlib import Path

# What a run imports, from its first step to its last, and the service that answers at its end. After an
# installation Python compiles all that while it imports it, which takes longer than the import.
IMPORTS = (
    "from orchestration.definitions import defs; defs(); "
    "import ml.registry.registry, great_expectations, serving.application"
)
LIBRARY = "great_expectations"  # which is imported late, and compiled if a whole run was made before


@contextmanager
def compiling_libraries() -> Iterator[None]:
    """Import the pipeline in another process while the block runs, if its libraries are not compiled."""
    if sys.dont_write_bytecode or is_compiled(LIBRARY):
        yield
        return
    # What cannot be imported stops the run that needs it, with its message.
    with subprocess.Popen([sys.executable, "-c", IMPORTS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield


def is_compiled(library: str) -> bool:
    """Return whether the bytecode of an installed library is kept."""
    spec = find_spec(library)
    return spec is not None and spec.origin is not None and Path(cache_from_source(spec.origin)).exists()
