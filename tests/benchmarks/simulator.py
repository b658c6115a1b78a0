"""[simulator] events a second and peak memory at growing sizes, and how far apart the planted personas stand."""

from __future__ import annotations

import datetime as dt
import json
import random
import statistics
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from figure import Figure, in_own_process

from ml.events.contract import EVENT_SCHEMA
from ml.home import Home
from ml.settings import load_settings
from ml.sources.simulator import Site, simulate_into_home
from ml.sources.simulator.separation import Separation, measure_separation
from ml.sources.simulator.sizing import settings_for_events

START = dt.date(2026, 3, 1)
SEED = 7
SIZES = (2_000_000, 20_000_000)
RIVAL = "a Python loop of one dict and one json.dumps a row, to Parquet"
RIVAL_ROWS = 100_000
SEPARATION_SEEDS = (7, 1, 2, 3)


def measure(size: float) -> Iterator[Figure]:
    """Events into the log of a home, with everything that `tessera simulate` does, at both sizes."""
    rival = in_own_process(simulate_row_by_row, max(int(RIVAL_ROWS * min(size, 1.0)), 1000))
    rival_rate = rival.result / rival.seconds
    for events in SIZES:
        measured = in_own_process(simulate, int(events * size))
        rate = measured.result / measured.seconds
        yield Figure(
            f"simulator_{events // 1_000_000}m",
            rate,
            "events/s",
            RIVAL,
            rival_rate,
            rate / rival_rate,
            rows=measured.result,
            seconds=measured.seconds,
            peak_mib=measured.peak_mib,
        )
    separations = in_own_process(separate, size).result
    accuracies = [separation.accuracy for separation in separations]
    clusterings = [separation.adjusted_rand for separation in separations]
    users = sum(separation.users for separation in separations)
    yield Figure("simulator_persona_accuracy", statistics.median(accuracies), "share", rows=users)
    yield Figure("simulator_persona_adjusted_rand", statistics.median(clusterings), "ARI", rows=users)


def simulate(events: int) -> int:
    """Simulate about so many events of 120 days into a new home; returns how many there are."""
    settings = settings_for_events(load_settings().simulator, SEED, START, events)
    site = Site(settings, SEED, START)
    with tempfile.TemporaryDirectory() as folder:
        end = START + dt.timedelta(days=settings.days)
        return simulate_into_home(Home(Path(folder)), site, START, end).events


def separate(size: float) -> list[Separation]:
    """The separation of the default site for a few seeds, on fewer users at smaller sizes."""
    settings = load_settings().simulator
    smaller = settings.model_copy(update={"users": max(int(settings.users * min(size, 1.0)), 500)})
    return [measure_separation(Site(smaller, seed, START), smaller.days) for seed in SEPARATION_SEEDS]


def simulate_row_by_row(rows: int) -> int:
    """The plain way: every event a dict with all columns of the contract, drawn by `random`."""
    draw = random.Random(SEED)
    made = []
    for row in range(rows):
        moment = dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=row)
        item = draw.randrange(5000)
        made.append(
            {
                "event_id": str(uuid.UUID(int=draw.getrandbits(128))),
                "event_type": draw.choice(("page_view", "page_ping", "click", "scroll", "purchase")),
                "occurred_at": moment,
                "received_at": moment + dt.timedelta(milliseconds=draw.randrange(200, 2000)),
                "user_id": f"u{draw.randrange(50_000)}",
                "anonymous_id": f"d{draw.randrange(80_000)}",
                "session_id": f"s{row // 12}",
                "item_id": f"a{item}",
                "page_url": f"https://www.tessera.example/world/a{item}",
                "page_title": f"Title of {item}",
                "referrer": "https://www.google.com/",
                "value": draw.random() * 100,
                "properties": json.dumps({"scroll_depth": draw.randrange(101), "element": "related"}),
                "device_type": draw.choice(("mobile", "desktop", "tablet")),
                "os": "Android",
                "browser": "Chrome",
                "screen_width": 412,
                "screen_height": 915,
                "language": "en-US",
                "timezone": "America/New_York",
                "country": "US",
                "region": "US-NY",
                "city": "New York",
                "network_type": "4g",
                "consent": ["analytics", "personalization"],
                "recommendation_id": None,
                "experiment_id": None,
                "variant": None,
                "source": "simulator",
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        table = pa.Table.from_pylist(made, schema=EVENT_SCHEMA)
        pq.write_table(table, Path(folder) / "events.parquet", compression="zstd", compression_level=1)
    return rows
