"""All of an input becomes visible or nothing does: full disks, interrupts, damaged files."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.events.log import EventLog
from ml.home import Home
from ml.sources import SourceError, ingest, open_source
from tests.tiny_disk import enlarge, tiny_disk

NOW = dt.datetime(2024, 7, 2, tzinfo=dt.UTC)
CHECKOUT = Path(__file__).parents[3]


def write_clicks(path, rows):
    table = pa.table(
        {
            "event_type": pa.repeat("click", rows),
            "occurred_at": pa.repeat(pa.scalar(dt.datetime(2024, 7, 1, tzinfo=dt.UTC)), rows),
            "user_id": pa.array(range(rows)),
            "noise": pa.array([os.urandom(32).hex() for _ in range(rows)]),
        }
    )
    pq.write_table(table, path)
    return path


def test_a_full_disk_leaves_nothing_and_the_next_try_succeeds(tmp_path):
    file = write_clicks(tmp_path / "clicks.parquet", 60_000)
    with tiny_disk(tmp_path, "2m") as disk:
        with pytest.raises(SourceError, match=r"the disk is full\. No event was ingested; free some space"):
            ingest(open_source("files"), file, Home(disk / "home"), NOW)
        assert EventLog(Home(disk / "home")).parts() == []
        assert not list(disk.rglob("*.parquet"))
        enlarge(disk, "40m")
        assert ingest(open_source("files"), file, Home(disk / "home"), NOW).accepted == 60_000


def test_a_source_that_fails_half_way_leaves_nothing(tmp_path):
    class HalfWay:
        name = "half"
        description = "fails after its first batch"

        def __init__(self):
            self.whole = open_source("files")

        def files(self, path):
            return self.whole.files(path)

        def count(self, path):
            return None

        def items(self, path):
            return iter(())

        def batches(self, path):
            yield from self.whole.batches(path)
            raise SourceError("damaged after row 10")

    home = Home(tmp_path / "home")
    with pytest.raises(SourceError, match="damaged"):
        ingest(HalfWay(), write_clicks(tmp_path / "c.parquet", 10), home, NOW)
    assert EventLog(home).parts() == []
    assert not list(home.path.rglob("*.parquet"))


def test_an_item_of_many_chunks_counts_once(tmp_path):
    """Files are read in chunks, and each chunk says what it knows of its items."""
    rows = 250_000
    table = pa.table(
        {
            "time": pa.repeat(pa.scalar(dt.datetime(2024, 7, 1, tzinfo=dt.UTC)), rows),
            "user": [f"u{row}" for row in range(rows)],
            "item": [f"i{row % 7}" for row in range(rows)],
        }
    )
    pq.write_table(table, tmp_path / "orders.parquet")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "event_type: {value: page_view}\noccurred_at: time\nuser_id: user\nitem_id: item\nitems: {item_id: item}\n"
    )
    report = ingest(open_source("files", mapping), tmp_path / "orders.parquet", Home(tmp_path / "home"), NOW)
    assert (report.accepted, report.items) == (rows, 7)


def test_ctrl_c_leaves_nothing_and_says_what_to_do(tmp_path):
    file = write_clicks(tmp_path / "clicks.parquet", 400_000)
    home = tmp_path / "home"
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", "ingest"]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
    process = subprocess.Popen(
        [*command, "files", "--path", str(file), "--home", str(home)],
        cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(home.glob("events/draft/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished work is kept" in output
    assert "Traceback" not in output
    assert EventLog(Home(home)).parts() == []
    assert not list(home.rglob("*.parquet"))
