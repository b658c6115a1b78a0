"""The console behind many events: its published tables, and the time and size of its pages."""

from __future__ import annotations

import dataclasses
import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from figure import Figure
from simulated_warehouse import build, kept_site
from starlette.testclient import TestClient

from ml.bundle import make_current
from ml.bundle.files import write_manifest
from ml.console.tables import FOLDER
from ml.experiments.definition.definitions_file import load_metric_library
from ml.home import Home
from ml.settings import load_settings
from orchestration.warehouse.console_tables import write_console_tables
from orchestration.warehouse.warehouse import Warehouse
from serving.console.application import console_application
from serving.console.pages import PAGES
from serving.console.static_files import STATIC, read_style
from serving.start import ServiceConfig

EVENTS = 2_000_000
REPEATS = 5
VERSION = "measured"


def measure(size: float) -> Iterator[Figure]:
    """Yield seconds and bytes of the tables beside those of dbt, and seconds and bytes of each page."""
    site = kept_site(int(EVENTS * size))
    built = build(site)
    with TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        bundle = home.published / VERSION
        (bundle / FOLDER).mkdir(parents=True)
        started = time.perf_counter()
        files = write_console_tables(
            Warehouse(site.warehouse), load_settings(), bundle / FOLDER, load_metric_library()
        )
        seconds = time.perf_counter() - started
        written = sum(file.stat().st_size for file in files.values())
        yield Figure(
            "console tables", seconds, "s", "dbt run", built.seconds, seconds / built.seconds, built.result
        )
        yield Figure("console tables", written / 2**20, "MiB", rows=built.result)
        for name, file in files.items():
            yield Figure(f"console table {name}", file.stat().st_size / 2**20, "MiB", rows=built.result)
        fields = {"version": VERSION, "model_version": None, "as_of": "2026-06-01T00:00:00+00:00", "details": {}}
        write_manifest(bundle, fields)
        make_current(home.published, VERSION)
        yield from _pages(home)


def _pages(home: Home) -> Iterator[Figure]:
    config = ServiceConfig(home, load_settings(), bundled=home.path / "no-bento")
    limits = config.settings.serving.limits.model_copy(update={"open_requests_per_second": 1_000.0})
    serving = config.settings.serving.model_copy(update={"limits": limits})
    config = dataclasses.replace(config, settings=config.settings.model_copy(update={"serving": serving}))
    client = TestClient(console_application(config), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
    scripts = sum(len(gzip.compress(file.read_bytes())) for file in STATIC.glob("*.js"))
    yield Figure(
        "console scripts and style, compressed",
        (scripts + len(gzip.compress(read_style().encode()))) / 1024,
        "KiB",
    )
    for name in PAGES:
        seconds = []
        for _ in range(REPEATS + 1):
            started = time.perf_counter()
            text = client.get(f"/console/{name}").text
            seconds.append(time.perf_counter() - started)
        yield Figure(f"console page {name}", 1000 * sorted(seconds[1:])[REPEATS // 2], "ms, median")
        yield Figure(f"console page {name}, first", 1000 * seconds[0], "ms")
        yield Figure(f"console page {name}", len(text.encode()) / 1024, "KiB")
