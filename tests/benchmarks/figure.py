"""What a benchmark yields, and how it measures a piece of work apart from everything else."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure; `ratio` compares `value` with `rival_value`, measured in the same run.

    `rows` is the size of the input, `seconds` and `peak_mib` are those of the measured work alone.
    """

    name: str
    value: float
    unit: str
    rival: str | None = None
    rival_value: float | None = None
    ratio: float | None = None
    rows: int | None = None
    seconds: float | None = None
    peak_mib: float | None = None


@dataclass(frozen=True)
class Measured:
    """Result of a call, its wall time, and the peak memory of the process that did only this."""

    result: Any
    seconds: float
    peak_mib: float


def in_own_process(function: Callable[..., Any], *args: Any) -> Measured:
    """Run `function(*args)` in a fresh process; function, arguments and result must be picklable.

    The time excludes the start of the process and its imports of the benchmark's module.

    Raises:
        RuntimeError: the process died (out of memory, say) or the function raised; the cause is named.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, function, args))
    process.start()
    sender.close()
    try:
        outcome = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{function.__name__} died with exit code {process.exitcode}") from None
    process.join()
    if isinstance(outcome, str):
        raise RuntimeError(f"{function.__name__} failed: {outcome}")
    return Measured(*outcome)


def _report(sender: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        start = time.perf_counter()
        result = function(*args)
        seconds = time.perf_counter() - start
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        sender.send((result, seconds, max(own, children) / 1024))
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
        raise
