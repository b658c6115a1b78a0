"""[service] Requests a second while 20 people read the console, against the same service that nobody reads.

Each reader opens a page of figures every ten seconds, half of them with dates that nobody chose before, so that it
has to be made. They begin before the load, so that what the console may take at once is used up. Rounds with and
without readers alternate, because other work on the machine comes and goes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from figure import Figure, in_own_process
from served import factors, load, publish, service
from simulated_warehouse import END, build, kept_site

from ml.console.tables import FOLDER
from ml.experiments.definition.definitions_file import load_metric_library
from ml.settings import load_settings
from orchestration.warehouse.console_tables import write_console_tables
from orchestration.warehouse.warehouse import Warehouse

EVENTS, ITEMS, READERS, ROUNDS, SECONDS = 2_000_000, 20_000, 20, 4, 20.0
THINKING_SECONDS, EARLIER_SECONDS = 10.0, 12.0
PAGES = ("overview", "behaviour", "audience", "experiments", "health")


def measure(size: float) -> Iterator[Figure]:
    """Yield the requests a second with and without readers, and how long readers wait for a page."""
    site = kept_site(int(EVENTS * size))
    built = build(site)
    users, items = factors(max(1_000, int(ITEMS * size)))
    seconds = max(10.0, SECONDS * size)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        tables = publish(home / "published", users, items) / FOLDER
        tables.mkdir()
        write_console_tables(Warehouse(site.warehouse), load_settings(), tables, load_metric_library())
        rates: dict[bool, list[float]] = {False: [], True: []}
        waits: list[float] = []
        with service(home) as (url, _):
            in_own_process(load, url, 2.0, None)
            for _ in range(ROUNDS):
                for is_read in (False, True):
                    with multiprocessing.Pool(1) as pool:
                        reading = pool.apply_async(read, (url, seconds + EARLIER_SECONDS)) if is_read else None
                        time.sleep(EARLIER_SECONDS if is_read else 0)
                        rates[is_read].append(in_own_process(load, url, seconds, None).result["rate"])
                        if reading is not None:
                            waits += reading.get()
    alone, beside = (float(np.median(rates[is_read])) for is_read in (False, True))
    yield Figure(
        f"service with {READERS} readers of the console", beside, "requests/s", "without", alone, beside / alone,
        built.result,
    )  # fmt: skip
    for share in (50, 95):
        yield Figure("page beside full load", 1000 * float(np.percentile(waits, share)), f"ms, p{share}")


def read(url: str, seconds: float) -> list[float]:
    """Let the readers read for so long; return for how many seconds each page was waited for."""
    return asyncio.run(_read(url, seconds))


async def _read(url: str, seconds: float) -> list[float]:
    waits: list[float] = []
    until = time.perf_counter() + seconds

    async def reader(number: int) -> None:
        generator = np.random.default_rng(number)
        await asyncio.sleep(generator.uniform(0, THINKING_SECONDS))
        while time.perf_counter() < until:
            last = END - dt.timedelta(days=int(generator.integers(1, 30)))
            first = last - dt.timedelta(days=int(generator.integers(7, 60)))
            page = PAGES[generator.integers(len(PAGES))]
            started = time.perf_counter()
            dates = {"from": str(first), "to": str(last)} if generator.random() < 0.5 else {}
            answer = await client.get(f"/console/{page}", params=dates)
            answer.raise_for_status()
            waits.append(time.perf_counter() - started)
            await asyncio.sleep(THINKING_SECONDS)

    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        await asyncio.gather(*(reader(number) for number in range(READERS)))
    return waits
