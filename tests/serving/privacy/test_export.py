from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from ml.erasure.person_ids import PersonIds
from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from serving.privacy.export import read_events_of

DAYS, ROWS, TEXT = 6, 20_000, 1_000
NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
READ = """
import sys
from pathlib import Path
import pyarrow as pa
from ml.erasure.person_ids import PersonIds
from ml.home import Home
from serving.privacy.export import read_events_of
events = read_events_of(Home(Path(sys.argv[1])), PersonIds(("u0",), ("d0",)))
print(len(events), pa.default_memory_pool().max_memory())
"""


def write_days(home: Home) -> None:
    """A part a day, in which one user and one device have an event each among those of others."""
    for day in range(DAYS):
        at = NOON + dt.timedelta(days=day)
        fields = {
            "event_id": [f"{day}-{row}" for row in range(ROWS)],
            "event_type": ["page_view"] * ROWS,
            "user_id": [f"u{row}" if row % 2 == 0 else None for row in range(ROWS)],
            "anonymous_id": [f"d{row - 1}" for row in range(ROWS)],
            "properties": [f'{{"text": "{row:>{TEXT}}"}}' for row in range(ROWS)],
        }
        for name in EVENT_SCHEMA.names:
            if name not in fields:
                fields[name] = [at if name in ("occurred_at", "received_at") else None] * ROWS
        fields["source"] = ["test"] * ROWS
        with EventLog(home).ingest("files") as writer:
            writer.write(pa.table({name: fields[name] for name in EVENT_SCHEMA.names}, schema=EVENT_SCHEMA))


def test_the_events_of_a_person_are_read_without_the_log_in_memory(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    write_days(home)
    events = read_events_of(home, PersonIds(("u0",), ("d0",)))
    assert sorted(event["event_id"] for event in events) == sorted(
        f"{day}-{row}" for day in range(DAYS) for row in (0, 1)
    )
    ran = subprocess.run([sys.executable, "-c", READ, str(home.path)], capture_output=True, text=True, check=True)
    count, most = map(int, ran.stdout.split())
    assert count == 2 * DAYS
    assert most < DAYS * ROWS * TEXT / 2
