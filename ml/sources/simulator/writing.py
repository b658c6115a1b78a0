"""A simulated stretch of days on its way to disk: into the event log of a home, or as plain files."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.events.contract import TIMESTAMP
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.validation import validate_events
from ml.home import Home
from ml.settings.simulator import SimulatorSettings
from ml.sources.catalogue import Catalogue
from ml.sources.simulator.scenarios import ScenarioSite, as_recorded, scenario_of
from ml.sources.simulator.site import RAW_SCHEMA, Site
from ml.sources.simulator.truth import write_truth

SOURCE = "simulator"
SITE_FILE = "site.json"
PREFETCHED_TABLES = 2
FILE_ROWS = 4_000_000

Progress = Callable[[int], None]


@dataclass(frozen=True)
class SimulationResult:
    """Result of a simulation.

    Attributes:
        events: number of events written.
        items: number of items written.
        rejected: malformed rows by field.
        already_there: whether the same days were written before.
    """

    events: int
    items: int
    rejected: Counter[str] = field(default_factory=Counter)
    already_there: bool = False


def read_recorded_site(home: Home) -> tuple[Site, dt.date] | None:
    """The site that was simulated into a home, and the date up to which; None where there is none."""
    file = home.truth / SITE_FILE
    if not file.exists():
        return None
    record = json.loads(file.read_text(encoding="utf-8"))
    settings = SimulatorSettings.model_validate(record["settings"])
    start = dt.date.fromisoformat(record["start"])
    site = as_recorded(settings, record["seed"], start, record.get("scenario"))
    return site, dt.date.fromisoformat(record["until"])


def simulate_into_home(
    home: Home, site: Site, since: dt.date, until: dt.date, progress: Progress | None = None
) -> SimulationResult:
    """Write the events that arrive in [since, until) to the log, new items to the catalogue, the truth beside.

    The same stretch twice changes nothing. Malformed rows go to the dead letters.
    """
    log = EventLog(home)
    mark = fingerprint(site, since, until)
    if log.has(mark):
        return SimulationResult(0, 0, already_there=True)
    now = dt.datetime(until.year, until.month, until.day, tzinfo=dt.UTC)
    since_day, until_day = site.day_of(since), site.day_of(until)
    rejected: list[pa.Table] = []
    total = 0
    with log.ingest(SOURCE, mark) as writer:
        for events in prefetched(site.events(since_day, until_day), PREFETCHED_TABLES):
            valid = validate_events(events, now, check_json=False)
            writer.write(valid.accepted)
            rejected.append(_numbered(valid.rejected, events, total))
            total += len(events)
            if progress:
                progress(total)
        dead = pa.concat_tables(rejected) if rejected else None
        if dead is not None:
            _write_dead_letters(dead, DeadLetters(home), f"{SOURCE}-{mark[:16]}")
        items = site.catalogue(since_day, until_day)
        Catalogue(home).append(items)
        _write_truth(site, until_day, home.truth)
        _record(home, site, until)
    fields = Counter(dead["field"].to_pylist()) if dead is not None else Counter()
    return SimulationResult(total - sum(fields.values()), len(items), fields)


def _numbered(rejected: pa.Table, events: pa.Table, offset: int) -> pa.Table:
    """Number rejected rows across all tables, and add when each of them was received."""
    rows = np.asarray(rejected["row"])
    numbered = rejected.set_column(0, "row", pa.array(rows + offset, pa.int64()))
    return numbered.append_column("received_at", events["received_at"].take(pa.array(rows)).cast(TIMESTAMP))


def _write_dead_letters(rejected: pa.Table, letters: DeadLetters, batch_id: str) -> None:
    """Store rejected rows under the simulated day on which they came, as their events are."""
    days = pc.strftime(rejected["received_at"], "%Y-%m-%d")
    for day in sorted(pc.unique(days).to_pylist()):
        of_day = rejected.filter(pc.equal(days, day))
        letters.write(of_day, SOURCE, pc.min(of_day["received_at"]).as_py(), batch_id)


def simulate_into_folder(
    folder: Path, site: Site, since: dt.date, until: dt.date, progress: Progress | None = None
) -> SimulationResult:
    """Write the same as plain Parquet: `events/` as sent, malformed rows and all, `items.parquet`, `truth/`."""
    since_day, until_day = site.day_of(since), site.day_of(until)
    (folder / "events").mkdir(parents=True, exist_ok=True)
    total = 0
    with ExitStack() as files:
        writer: pq.ParquetWriter | None = None
        written = 0
        for events in prefetched(site.events(since_day, until_day), PREFETCHED_TABLES):
            if writer is None or written >= FILE_ROWS:
                files.close()
                path = folder / "events" / f"{site.date_of(since_day)}-{total:012d}.parquet"
                writer = files.enter_context(
                    pq.ParquetWriter(path, RAW_SCHEMA, compression="zstd", compression_level=1)
                )
                written = 0
            writer.write_table(events.cast(RAW_SCHEMA))
            written += len(events)
            total += len(events)
            if progress:
                progress(total)
    items = site.catalogue(since_day, until_day)
    pq.write_table(items, folder / "items.parquet", compression="zstd")
    _write_truth(site, until_day, folder / "truth")
    return SimulationResult(total, len(items))


def fingerprint(site: Site, since: dt.date, until: dt.date) -> str:
    """SHA-256 of all that decides the events of a stretch of days."""
    plan = [
        site.settings.model_dump_json(),
        site.seed,
        site.start.isoformat(),
        since.isoformat(),
        until.isoformat(),
        *filter(None, [scenario_of(site)]),
    ]
    return hashlib.sha256(json.dumps(plan).encode()).hexdigest()


def prefetched(tables: Iterator[pa.Table], ahead: int) -> Iterator[pa.Table]:
    """The same tables, made by a second thread while the caller works on the ones before."""
    waiting: queue.Queue[pa.Table | BaseException | None] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def offer(item: pa.Table | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for table in tables:
                offer(table)
                if stopped.is_set():
                    return
            offer(None)
        except BaseException as error:  # noqa: BLE001 it is raised again where the tables are used
            offer(error)

    producer = threading.Thread(target=produce, name="simulator", daemon=True)
    producer.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        producer.join()


def _write_truth(site: Site, until_day: int, folder: Path) -> None:
    write_truth(site, until_day, folder)
    if isinstance(site, ScenarioSite):
        pq.write_table(site.truth(until_day), folder / "scenario.parquet")


def _record(home: Home, site: Site, until: dt.date) -> None:
    record = {
        "seed": site.seed,
        "start": site.start.isoformat(),
        "until": until.isoformat(),
        "settings": site.settings.model_dump(mode="json"),
    }
    if scenario := scenario_of(site):
        record["scenario"] = scenario
    draft = home.truth / f"{SITE_FILE}.draft"
    draft.write_text(json.dumps(record, indent=1), encoding="utf-8")
    os.replace(draft, home.truth / SITE_FILE)
