"""[service_swaps] Failed requests while a new champion takes over 20 times under load."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from figure import Figure, in_own_process
from served import factors, load, publish, service

ITEMS, SWAPS, PAUSE = 20_000, 20, 3.0


def measure(size: float) -> Iterator[Figure]:
    """Publish again and again while a process asks over 16 connections."""
    swaps, n_items = max(2, int(SWAPS * size)), max(1_000, int(ITEMS * size))
    users, items = factors(n_items)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        publish(home / "published", users, items, "v0", "0")
        seen: list[str] = []
        with service(home) as (url, _):
            publisher = threading.Thread(target=_swap, args=(home, users, items, swaps, url, seen))
            publisher.start()
            found = in_own_process(load, url, swaps * PAUSE + 3, None).result
            publisher.join()
    if seen != [str(number) for number in range(1, swaps + 1)]:
        raise RuntimeError(f"not every champion took over: {seen}")
    yield Figure("service_swaps", found["failed"], f"failed requests in {swaps} swaps", rows=int(found["asked"]))
    yield Figure("service_swaps", found["p99_ms"], "ms p99 meanwhile", rows=int(found["asked"]))


def _swap(home: Path, users: object, items: object, swaps: int, url: str, seen: list[str]) -> None:
    for number in range(1, swaps + 1):
        publish(home / "published", users, items, f"v{number}", str(number))  # type: ignore[arg-type]
        until = time.monotonic() + PAUSE
        while time.monotonic() < until:
            version = httpx.get(f"{url}/readyz", timeout=30).json()["model_version"]
            if version == str(number):
                seen.append(version)
                break
            time.sleep(0.05)
        time.sleep(max(0.0, until - time.monotonic()))
